"""What a model predicts, decided by its architecture: a word, a class of the text or of a token, an answer, or nothing.

A task turns a model's outputs into the numbers that are shown and explained. Adding one is adding a class in a file
here and a row in TASKS.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers.models.auto import modeling_auto

from dashboard.engine.errors import Unsupported
from dashboard.engine.tasks.answer_span import AnswerSpan
from dashboard.engine.tasks.task import (
    IMPOSSIBLE,
    Choice,
    Input,
    Prediction,
    Readout,
    Task,
    make_choice,
    make_choices,
)
from dashboard.engine.tasks.token_class import TokenClass
from dashboard.engine.tasks.whole_texts import NoHead, SequenceClass
from dashboard.engine.tasks.words import MaskedToken, NextToken

__all__ = ["TASKS", "Choice", "Input", "Prediction", "Readout", "Task", "make_choice", "predict", "task_for"]

N_CHOICES = 8

# Architecture class names, as transformers itself groups them -> the task that reads them. First match wins.
TASKS: tuple[tuple[Mapping[str, Any], Task], ...] = (
    (modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, NextToken()),
    (modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, MaskedToken()),
    (modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES, SequenceClass()),
    (modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES, TokenClass()),
    (modeling_auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES, AnswerSpan()),
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
        "Choose a model for text generation, a masked language model, a classifier of texts or tokens, a model for "
        "questions, or an encoder.",
    )


def predict(
    task: Task,
    logits: Float[Tensor, "choice"],
    position: int | None,
    given: Input,
    labels: tuple[Choice, ...] = (),
) -> Prediction:
    """The most probable choices with their probabilities and logits."""
    top = logits.topk(min(N_CHOICES, len(logits)))
    possible = [i for i, logit in zip(top.indices.tolist(), top.values.tolist(), strict=True) if logit > IMPOSSIBLE]
    return Prediction(task.kind, make_choices(task, logits, possible, given), position, task.note, labels)
