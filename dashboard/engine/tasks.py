"""What a model predicts, decided by its architecture: next token, masked token, sequence class, or nothing.

A task turns a model's outputs into the numbers that are shown and explained. Adding one is adding a class here and
a row in TASKS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
)
from transformers.models.auto import modeling_auto

from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.tokens import Token, read_token

N_CHOICES = 8

Readout = Callable[[Any, Int[Tensor, "batch token"]], Float[Tensor, "batch choice"]]
"""From a model's outputs and the attention mask they were made with to one logit for each choice."""


@dataclass(frozen=True)
class Choice:
    """One thing the model could have said.

    Attributes:
        id: Vocabulary or class index; 0 for a model without a head.
        label: How to show it.
        probability: 0…1, or None where the model gives no probabilities.
        logit: The number before the softmax; for a model without a head, the length of the sentence embedding.
    """

    id: int
    label: Token
    probability: float | None
    logit: float


@dataclass(frozen=True)
class Prediction:
    """What the model says about one input.

    Attributes:
        kind: The task's name: "next token", "masked token", "sequence class" or "no head".
        choices: The most probable first.
        position: The token at which the prediction is made; None where it is made for the whole text.
        note: What a reader must know about it, in one sentence; often empty.
    """

    kind: str
    choices: tuple[Choice, ...]
    position: int | None
    note: str = ""


class Task:
    """The base of all tasks; each says which auto class loads it and how its outputs are read.

    `examples` are texts to try with any model of the task; {mask} stands for the tokenizer's mask token.
    """

    kind: ClassVar[str]
    auto_class: ClassVar[Any]
    causal: ClassVar[bool] = False
    note: ClassVar[str] = ""
    examples: ClassVar[tuple[str, ...]] = (
        "The old keeper climbed the stairs of the lighthouse.",
        "She did not like the film, but her friends loved it.",
    )
    logit_name: ClassVar[str] = "logit"

    def position(self, ids: Int[Tensor, "token"], tokenizer: Any) -> int | None:
        """The token at which the prediction is made.

        Raises:
            InvalidInput: The input has no such place.
        """
        return None

    def options(self, accepted: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments for the forward call, out of those that the model's signature accepts."""
        return {}

    def readout(self, position: int | None, outputs: Any) -> Readout:
        """How to read every later run on this input; `outputs` are those of the first."""
        raise NotImplementedError

    def probabilities(self, logits: Float[Tensor, "batch choice"], config: Any) -> Float[Tensor, "batch choice"] | None:
        """Probabilities of all choices, or None where the model gives none."""
        return logits.float().softmax(-1)

    def label(self, choice: int, network: Any, tokenizer: Any) -> Token:
        """How a choice is shown."""
        return read_token(tokenizer, choice)


class NextToken(Task):
    """A decoder that says what comes after the last token."""

    kind = "next token"
    auto_class = AutoModelForCausalLM
    examples = ("The capital of France is", "Paris is in France, Tokyo is in Japan, Rome is in")
    causal = True

    def position(self, ids: Int[Tensor, "token"], tokenizer: Any) -> int:
        return len(ids) - 1

    def options(self, accepted: Mapping[str, Any]) -> dict[str, Any]:
        # Logits of all positions would be tokens × vocabulary: 400 MB at 2,048 tokens of SmolLM2.
        return {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def readout(self, position: int | None, outputs: Any) -> Readout:
        return lambda outputs, mask: outputs.logits[:, -1].float()


class MaskedToken(Task):
    """An encoder that fills in the first blank."""

    kind = "masked token"
    auto_class = AutoModelForMaskedLM
    examples = ("The capital of France is {mask}.", "The keeper climbed the {mask} of the lighthouse.")

    def position(self, ids: Int[Tensor, "token"], tokenizer: Any) -> int:
        places = (ids == tokenizer.mask_token_id).nonzero().flatten().tolist()
        if not places:
            raise InvalidInput(
                f"This model fills in a blank, and the text has no {tokenizer.mask_token}.",
                f"Write {tokenizer.mask_token} where the model should predict a word.",
            )
        return int(places[0])

    def readout(self, position: int | None, outputs: Any) -> Readout:
        return lambda outputs, mask: outputs.logits[:, position].float()


class SequenceClass(Task):
    """A classifier of whole texts, with one of several classes, several at once, or a single number (regression)."""

    kind = "sequence class"
    auto_class = AutoModelForSequenceClassification

    def readout(self, position: int | None, outputs: Any) -> Readout:
        return lambda outputs, mask: outputs.logits.float()

    def probabilities(self, logits: Float[Tensor, "batch choice"], config: Any) -> Float[Tensor, "batch choice"] | None:
        if logits.shape[-1] == 1 or config.problem_type == "regression":
            return None
        if config.problem_type == "multi_label_classification":
            return logits.float().sigmoid()
        return logits.float().softmax(-1)

    def label(self, choice: int, network: Any, tokenizer: Any) -> Token:
        name = str((network.config.id2label or {}).get(choice, f"class {choice}"))
        return Token(name, choice, 0, 0, 0, special=False)


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

    def readout(self, position: int | None, outputs: Any) -> Readout:
        ones = torch.ones(outputs.last_hidden_state.shape[:2], device=outputs.last_hidden_state.device)
        embedding = self._pooled(outputs, ones)[0].detach()
        direction = embedding / embedding.norm().clamp_min(1e-12)
        return lambda outputs, mask: (self._pooled(outputs, mask) @ direction)[:, None]

    @staticmethod
    def _pooled(outputs: Any, mask: Tensor) -> Float[Tensor, "batch hidden"]:
        weight = mask[..., None].float()
        summed = (outputs.last_hidden_state.float() * weight).sum(1)
        pooled: Tensor = summed / weight.sum(1).clamp_min(1)
        return pooled

    def probabilities(self, logits: Float[Tensor, "batch choice"], config: Any) -> None:
        return None

    def label(self, choice: int, network: Any, tokenizer: Any) -> Token:
        return Token("sentence embedding", choice, 0, 0, 0, special=False)


# Architecture class names, as transformers itself groups them -> the task that reads them. First match wins.
TASKS: tuple[tuple[Mapping[str, Any], Task], ...] = (
    (modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, NextToken()),
    (modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, MaskedToken()),
    (modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES, SequenceClass()),
    (modeling_auto.MODEL_MAPPING_NAMES, NoHead()),
)


def task_for(config: Any) -> Task:
    """The task of a model configuration, from its architecture's class name.

    Raises:
        Unsupported: Encoder–decoders, and architectures that transformers does not have.
    """
    architectures = config.architectures or []
    if getattr(config, "is_encoder_decoder", False):
        raise Unsupported(
            f"{(architectures or [config.model_type])[0]} is an encoder–decoder, which is not supported yet.",
            "Choose a decoder (text generation) or an encoder (BERT-like) model.",
        )
    for names, task in TASKS:
        if any(name in names.values() for name in architectures):
            return task
    if not architectures and config.model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return TASKS[0][1]
    raise Unsupported(
        f"The architecture {', '.join(architectures) or config.model_type} is not one this dashboard can read.",
        "Choose a model for text generation, a masked language model, a text classifier or an encoder.",
    )


def make_choice(task: Task, logits: Float[Tensor, "choice"], index: int, network: Any, tokenizer: Any) -> Choice:
    """One choice with its probability and logit."""
    shares = task.probabilities(logits[None], network.config)
    return Choice(
        id=index,
        label=task.label(index, network, tokenizer),
        probability=None if shares is None else float(shares[0, index]),
        logit=float(logits[index]),
    )


def predict(
    task: Task, logits: Float[Tensor, "choice"], position: int | None, network: Any, tokenizer: Any
) -> Prediction:
    """The most probable choices with their probabilities and logits."""
    top = logits.topk(min(N_CHOICES, len(logits))).indices.tolist()
    choices = tuple(make_choice(task, logits, index, network, tokenizer) for index in top)
    return Prediction(task.kind, choices, position, task.note)
