"""Encoder–decoders: models that write a target (a translation, a summary) from a source."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM

from dashboard.engine.errors import InvalidInput
from dashboard.engine.tasks.prediction import Choice
from dashboard.engine.tasks.task import Input, Readout, Task, make_choice


class TargetToken(Task):
    """What is explained is one token of the target, given the source and the target before it.

    It is the one that is asked for; else the first ordinary one. Scores are given to the tokens of the source.
    """

    kind = "target token"
    auto_class = AutoModelForSeq2SeqLM
    writes = True
    examples = ("The keeper climbed the stairs of the lighthouse.", "The capital of France is Paris.")

    def check(self, given: Input) -> None:
        if given.at is not None and not 0 <= given.at < len(given.written):
            raise InvalidInput(
                f"There is no target token {given.at}.", f"The target has {len(given.written)}, counted from 0."
            )

    def step(self, given: Input) -> int:
        if given.at is not None:
            return given.at
        return next((i for i, token in enumerate(given.written) if not token.special), 0)

    def readout(self, given: Input, position: int | None, outputs: Any) -> Readout:
        step = self.step(given)
        return lambda outputs, mask: outputs.logits[:, step].float()

    def written(self, given: Input, outputs: Any) -> tuple[Choice, ...]:
        logits: Float[Tensor, "step choice"] = outputs.logits[0].float()
        return tuple(make_choice(self, logits[i], token.id, given) for i, token in enumerate(given.written))
