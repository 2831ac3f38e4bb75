"""Models that label every token: names of people and places, parts of speech."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers import AutoModelForTokenClassification

from dashboard.engine.errors import InvalidInput
from dashboard.engine.inputs.tokens import Token
from dashboard.engine.tasks.prediction import Choice
from dashboard.engine.tasks.task import Input, Readout, Task, class_name


class TokenClass(Task):
    """A classifier of tokens. What is explained is the label of one of them.

    It is the one that is asked for; else the first ordinary token with a label other than "outside", as the first name
    in a text; else the first ordinary token.
    """

    kind = "token class"
    auto_class = AutoModelForTokenClassification
    examples = (
        "John gave a drink to Mary in Paris.",
        "The old keeper Tom Wills climbed the stairs of the lighthouse at Dover.",
    )

    def check(self, given: Input) -> None:
        ordinary, n_tokens = _ordinary(given), len(given.tokens)
        if not ordinary:
            raise InvalidInput(
                "The text has only special tokens, which have no label.", "Write words that the model's vocabulary has."
            )
        if given.at is None:
            return
        if not 0 <= given.at < n_tokens:
            raise InvalidInput(f"There is no token {given.at}.", f"Tokens are numbered 0 to {n_tokens - 1} here.")
        if given.at not in ordinary:
            raise InvalidInput(
                f"Token {given.at} is the special token {given.tokens[given.at].text}, which has no label.",
                f"Choose a token of the text, for example {ordinary[0]} (“{given.tokens[ordinary[0]].text}”).",
            )

    def position(self, given: Input, outputs: Any) -> int:
        if given.at is not None:
            return given.at
        names = given.config.id2label or {}
        outside = next((index for index, name in names.items() if name == "O"), 0)
        best, ordinary = outputs.logits[0].argmax(-1).tolist(), _ordinary(given)
        return next((i for i in ordinary if best[i] != outside), ordinary[0])

    def readout(self, given: Input, position: int | None, outputs: Any) -> Readout:
        return lambda outputs, mask: outputs.logits[:, position].float()

    def probabilities(self, logits: Float[Tensor, "batch choice"], config: Any) -> Float[Tensor, "batch choice"] | None:
        return None if logits.shape[-1] == 1 else logits.float().softmax(-1)

    def label(self, given: Input, choice: int) -> Token:
        return class_name(given.config, choice)

    def labels(self, given: Input, outputs: Any) -> tuple[Choice, ...]:
        logits = outputs.logits[0].float()  # [token, label]
        shares, best = self.probabilities(logits, given.config), logits.argmax(-1).tolist()
        return tuple(
            Choice(
                id=index,
                label=self.label(given, index),
                probability=None if shares is None else float(shares[i, index]),
                logit=float(logits[i, index]),
            )
            for i, index in enumerate(best)
        )


def _ordinary(given: Input) -> list[int]:
    return [i for i, token in enumerate(given.tokens) if not token.special]
