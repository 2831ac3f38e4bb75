"""Relevance followed back through the layers: a vector times a matrix a layer, the matrix asked for in blocks of rows.

A product of T×T matrices is never needed for one row of it: the row starts as a vector and moves down layer by layer.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.attention import Layer, row_blocks
from dashboard.engine.errors import Unsupported
from dashboard.engine.progress import Progress
from dashboard.engine.question import Question
from dashboard.engine.tracing import Trace

RowsOf = Callable[[slice], Float[Tensor, "row key"]]
"""Gives some rows of a token × token matrix."""


def times(
    vector: Float[Tensor, "token"],
    rows_of: RowsOf,
    numbers_per_row: int,
    told: Callable[[float], None] = lambda fraction: None,
) -> Float[Tensor, "token"]:
    """vector · matrix. Rows that the vector does not ask for are not computed.

    Args:
        vector: One number a row.
        rows_of: The matrix.
        numbers_per_row: How many numbers must be in memory at once to compute one of its rows.
        told: Called with the fraction done, before each block and at the end.
    """
    result = torch.zeros_like(vector)
    for rows in row_blocks(len(vector), numbers_per_row):
        told(rows.start / len(vector))
        if bool(vector[rows].any()):
            result += vector[rows] @ rows_of(rows)
    told(1.0)
    return result


def start(question: Question, progress: Progress) -> Float[Tensor, "token"]:
    """Where the prediction is read, on the device of the attention; sums to 1."""
    device = present_layers(question.trace)[-1][1].device
    return torch.from_numpy(question.reading(progress)).float().to(device)


def present_layers(trace: Trace) -> list[tuple[int, Layer]]:
    """Layers with softmax attention, with their numbers, from the bottom to the top.

    Raises:
        Unsupported: There is none.
    """
    found = [(index, layer) for index, layer in enumerate(trace.layers["self"]) if layer is not None]
    if not found:
        raise Unsupported(f"{trace.model.title} has no softmax attention.", "Choose a method that follows none.")
    return found


def layer_choices(trace: Trace) -> tuple[str, ...]:
    """For methods that look at layers one by one: the mean over them, or one."""
    return ("mean", *(str(index) for index, _ in present_layers(trace)))


def reading_passes(trace: Trace) -> float:
    """Passes needed to learn where the prediction is read: there and back, unless it has a place of its own."""
    return 0 if trace.prediction.position is not None else 3


def reading_notes(question: Question) -> tuple[str, ...]:
    """What must be said where the prediction has no place of its own."""
    if question.trace.prediction.position is not None:
        return ()
    return (
        "The prediction is made for the whole text: attention is read at the tokens through which the gradient "
        "reaches the last layer, each in proportion to its length there.",
    )
