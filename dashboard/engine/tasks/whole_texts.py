"""Models that say one thing about a whole text: its class, or, without a head, its embedding."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoModel, AutoModelForSequenceClassification

from dashboard.engine.inputs.tokens import Token
from dashboard.engine.tasks.task import Input, Readout, Task, class_name


class SequenceClass(Task):
    """A classifier of whole texts, with one of several classes, several at once, or a single number (regression)."""

    kind = "sequence class"
    auto_class: ClassVar[Any] = AutoModelForSequenceClassification

    def readout(self, given: Input, position: int | None, outputs: Any) -> Readout:
        return lambda outputs, mask: outputs.logits.float()

    def probabilities(self, logits: Float[Tensor, "batch choice"], config: Any) -> Float[Tensor, "batch choice"] | None:
        if logits.shape[-1] == 1 or config.problem_type == "regression":
            return None
        if config.problem_type == "multi_label_classification":
            return logits.float().sigmoid()
        return logits.float().softmax(-1)

    def label(self, given: Input, choice: int) -> Token:
        return class_name(given.config, choice)


class NoHead(Task):
    """An encoder that predicts nothing. What can be explained is its sentence embedding.

    The explained number is the mean token embedding's projection on its own direction, so the number for the whole
    text is the embedding's length, and what a token adds to it is what it contributes to the text's meaning
    as the model sees it (mean pooling: Reimers & Gurevych 2019).
    """

    kind = "no head"
    auto_class = AutoModel
    note = "This model has no prediction head. What is explained is its sentence embedding."
    logit_name = "embedding length"

    def readout(self, given: Input, position: int | None, outputs: Any) -> Readout:
        counted = self.counted(given).to(outputs.last_hidden_state.device)
        embedding = self._pooled(outputs, counted)[0].detach()
        direction = embedding / embedding.norm().clamp_min(1e-12)
        return lambda outputs, mask: (self._pooled(outputs, mask * counted) @ direction)[:, None]

    def counted(self, given: Input) -> Float[Tensor, "1 #token"]:
        """1 for the tokens that the mean is over, 0 for others."""
        return torch.ones(1, 1)

    @staticmethod
    def _pooled(outputs: Any, mask: Tensor) -> Float[Tensor, "batch hidden"]:
        weight = mask[..., None].float().expand(*outputs.last_hidden_state.shape[:2], 1)
        summed = (outputs.last_hidden_state.float() * weight).sum(1)
        pooled: Tensor = summed / weight.sum(1).clamp_min(1)
        return pooled

    def probabilities(self, logits: Float[Tensor, "batch choice"], config: Any) -> None:
        return None

    def label(self, given: Input, choice: int) -> Token:
        return Token("sentence embedding", choice, 0, 0, 0, special=False)
