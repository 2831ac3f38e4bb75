"""Models that say a word of their vocabulary: after the last token, or in a blank."""

from collections.abc import Mapping
from typing import Any

from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from dashboard.engine.errors import InvalidInput
from dashboard.engine.tasks.task import Input, Readout, Task


class NextToken(Task):
    """A decoder that says what comes after the last token."""

    kind = "next token"
    auto_class = AutoModelForCausalLM
    examples = ("The capital of France is", "Paris is in France, Tokyo is in Japan, Rome is in")
    causal = True

    def position(self, given: Input, outputs: Any) -> int:
        return len(given.tokens) - 1

    def options(self, accepted: Mapping[str, Any]) -> dict[str, Any]:
        # Logits of all positions would be tokens × vocabulary: 400 MB at 2,048 tokens of SmolLM2.
        return {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def readout(self, given: Input, position: int | None, outputs: Any) -> Readout:
        return lambda outputs, mask: outputs.logits[:, -1].float()


class MaskedToken(Task):
    """An encoder that fills in a blank: the first one, or the one that is asked for."""

    kind = "masked token"
    auto_class = AutoModelForMaskedLM
    examples = ("The capital of France is {mask}.", "The keeper climbed the {mask} of the lighthouse.")

    def check(self, given: Input) -> None:
        blanks, mask = self._blanks(given), given.tokenizer.mask_token
        if not blanks:
            raise InvalidInput(
                f"This model fills in a blank, and the text has no {mask}.",
                f"Write {mask} where the model should predict a word.",
            )
        if given.at is not None and given.at not in blanks:
            raise InvalidInput(
                f"This model fills in a blank, and token {given.at} is no {mask}.",
                f"Choose one of these tokens: {', '.join(map(str, blanks))}.",
            )

    def position(self, given: Input, outputs: Any) -> int:
        return self._blanks(given)[0] if given.at is None else given.at

    def readout(self, given: Input, position: int | None, outputs: Any) -> Readout:
        return lambda outputs, mask: outputs.logits[:, position].float()

    @staticmethod
    def _blanks(given: Input) -> list[int]:
        return [i for i, token in enumerate(given.tokens) if token.id == given.tokenizer.mask_token_id]
