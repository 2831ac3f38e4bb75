"""One number for each head, computed in blocks of rows. One file a score; the registry finds it.

A score says what one row (one query's attention) contributes; a head's score is the mean over its rows. Rows that
do not count are NaN.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dashboard.engine.attention import Layer, row_blocks
from dashboard.engine.progress import Progress, silent
from dashboard.engine.registry import Registry


@dataclass(frozen=True)
class Rows:
    """A block of rows of all heads of one layer.

    Attributes:
        weights: Attention weights.
        queries: Token index of each row.
        visible: True where the row's query may look at the key.
    """

    weights: Float[Tensor, "head row key"]
    queries: Int[Tensor, "row"]
    visible: Bool[Tensor, "row key"]

    @property
    def keys(self) -> Int[Tensor, "key"]:
        return torch.arange(self.weights.shape[-1], device=self.weights.device)


@dataclass(frozen=True)
class HeadScore:
    """A named score and what is said about it wherever it is shown.

    Attributes:
        name: For the API and links.
        title: For people.
        meaning: What low and high values say, one sentence.
        formula: LaTeX.
        source: Where the formula comes from.
        unit: "" or for example "tokens".
        top: The largest possible value, None where it depends on the text.
        of_rows: The contribution of each row, NaN where a row does not count.
    """

    name: str
    title: str
    meaning: str
    formula: str
    source: str
    unit: str
    top: float | None
    of_rows: Callable[[Rows], Float[Tensor, "head row"]]


HEAD_SCORES: Registry[HeadScore] = Registry(__name__, "head score")


def compute_head_scores(
    layers: Sequence[Layer | None], names: Iterable[str], progress: Progress = silent
) -> dict[str, Float[np.ndarray, "layer head"]]:
    """Scores of every head, all in one pass over the weights.

    NaN where a layer has no softmax attention or no row counts.
    """
    scores = [HEAD_SCORES[name] for name in names]
    n_heads = max(layer.n_heads for layer in layers if layer is not None)
    result = {score.name: np.full((len(layers), n_heads), np.nan, np.float32) for score in scores}
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        progress("Scoring every head", index / len(layers))
        for name, values in _layer_scores(layer, scores).items():
            result[name][index, : layer.n_heads] = values
    return result


def _layer_scores(layer: Layer, scores: Sequence[HeadScore]) -> dict[str, Float[np.ndarray, "head"]]:
    sums = {score.name: torch.zeros(layer.n_heads, dtype=torch.float64) for score in scores}
    counts = {score.name: torch.zeros(layer.n_heads) for score in scores}
    for block in row_blocks(layer.n_queries, layer.n_heads * layer.n_keys):
        rows = Rows(
            weights=layer.weights(slice(None), block),
            queries=torch.arange(block.start, block.stop, device=layer.device),
            visible=layer.visible(block),
        )
        for score in scores:
            values = score.of_rows(rows).cpu()  # [head, row]
            counted = ~values.isnan()
            sums[score.name] += values.where(counted, 0).double().sum(1)
            counts[score.name] += counted.sum(1)
    return {name: (sums[name] / counts[name]).float().numpy() for name in sums}
