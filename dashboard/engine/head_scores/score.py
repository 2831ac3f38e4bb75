"""One number for each head, computed in blocks of rows. One file a score; the registry finds it.

A score says what one row (one query's attention) contributes; a head's score is the mean over its rows. Rows that
do not count are NaN. Where no row counts the head's score is NaN too: that is how a score says that it does not apply
(the next token in a model that may not look ahead, a repeated token in a text without one).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dashboard.engine.attention.layers import Layer, row_blocks
from dashboard.engine.inputs.tokens import Token
from dashboard.engine.progress import Progress, silent
from dashboard.engine.registry import Registry


@dataclass(frozen=True)
class Rows:
    """A block of rows of all heads of one layer.

    Attributes:
        weights: Attention weights.
        queries: Token index of each row.
        visible: True where the row's query may look at the key.
        query_ids: Vocabulary index of each row's token.
        key_ids: Vocabulary index of each key's token.
        key_special: True for special tokens among the keys.
    """

    weights: Float[Tensor, "head row key"]
    queries: Int[Tensor, "row"]
    visible: Bool[Tensor, "row key"]
    query_ids: Int[Tensor, "row"]
    key_ids: Int[Tensor, "key"]
    key_special: Bool[Tensor, "key"]

    @property
    def keys(self) -> Int[Tensor, "key"]:
        return torch.arange(self.weights.shape[-1], device=self.weights.device)

    @cached_property
    def equal_before(self) -> Bool[Tensor, "row key"]:
        """True where the key is the same token as the query, earlier in the text."""
        return (self.query_ids[:, None] == self.key_ids) & (self.keys < self.queries[:, None])

    def at(self, keys: Int[Tensor, "row"]) -> Float[Tensor, "head row"]:
        """Each row's weight on one key; NaN where there is no such key, or the query may not look at it."""
        inside = (keys >= 0) & (keys < len(self.key_ids))
        column = keys.where(inside, 0)[:, None]  # [row, 1]
        counts = inside & self.visible.gather(-1, column)[:, 0]
        weights = self.weights.gather(-1, column.expand(len(self.weights), -1, -1))[..., 0]
        return weights.masked_fill(~counts, torch.nan)

    def share(self, pattern: Bool[Tensor, "row key"]) -> Float[Tensor, "head row"]:
        """Each row's attention on the keys of a pattern."""
        return torch.einsum("hrk,rk->hr", self.weights, pattern.to(self.weights.dtype))


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
        along: It compares places in a text, so it is defined only where queries and keys are the same tokens in order.
    """

    name: str
    title: str
    meaning: str
    formula: str
    source: str
    unit: str
    top: float | None
    of_rows: Callable[[Rows], Float[Tensor, "head row"]]
    along: bool = False


HEAD_SCORES: Registry[HeadScore] = Registry("dashboard.engine.head_scores", "head score")


def compute_head_scores(
    layers: Sequence[Layer | None],
    query_tokens: Sequence[Token],
    key_tokens: Sequence[Token],
    names: Iterable[str],
    progress: Progress = silent,
    *,
    in_order: bool = True,
) -> dict[str, Float[np.ndarray, "layer head"]]:
    """Scores of every head, all in one pass over the weights.

    NaN where a layer has no softmax attention or no row counts.

    Args:
        layers: Of one site.
        query_tokens: The site's tokens that look.
        key_tokens: The site's tokens that are looked at.
        names: Which scores.
        progress: Told after each layer.
        in_order: Queries and keys are the same tokens, in the order of a text; else scores along the text stay NaN.
    """
    wanted = [HEAD_SCORES[name] for name in names]
    scores = [score for score in wanted if in_order or not score.along]
    n_heads = max(layer.n_heads for layer in layers if layer is not None)
    result = {score.name: np.full((len(layers), n_heads), np.nan, np.float32) for score in wanted}
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        progress("Scoring every head", index / len(layers))
        for name, values in _layer_scores(layer, query_tokens, key_tokens, scores).items():
            result[name][index, : layer.n_heads] = values
    return result


def _layer_scores(
    layer: Layer, query_tokens: Sequence[Token], key_tokens: Sequence[Token], scores: Sequence[HeadScore]
) -> dict[str, Float[np.ndarray, "head"]]:
    query_ids = torch.tensor([token.id for token in query_tokens], device=layer.device)
    key_ids = torch.tensor([token.id for token in key_tokens], device=layer.device)
    key_special = torch.tensor([token.special for token in key_tokens], device=layer.device)
    sums = {score.name: torch.zeros(layer.n_heads, dtype=torch.float64) for score in scores}
    counts = {score.name: torch.zeros(layer.n_heads) for score in scores}
    for block in row_blocks(layer.n_queries, layer.n_heads * layer.n_keys):
        rows = Rows(
            weights=layer.weights(slice(None), block),
            queries=torch.arange(block.start, block.stop, device=layer.device),
            visible=layer.visible(block),
            query_ids=query_ids[block],
            key_ids=key_ids,
            key_special=key_special,
        )
        for score in scores:
            values = score.of_rows(rows).cpu()  # [head, row]
            counted = ~values.isnan()
            sums[score.name] += values.where(counted, 0).double().sum(1)
            counts[score.name] += counted.sum(1)
    return {name: (sums[name] / counts[name]).float().numpy() for name in sums}
