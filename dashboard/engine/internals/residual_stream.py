"""The residual stream around each layer's attention, kept from one pass: what came in, what attention added."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.attention import layers as attention_layers
from dashboard.engine.attention.layers import RebuiltLayer, row_blocks
from dashboard.engine.attention.recording import ModuleHook, Recording
from dashboard.engine.internals.layer_wiring import LayerWiring
from dashboard.engine.internals.module_calls import tensors
from dashboard.engine.internals.wiring import Wiring
from dashboard.engine.tracing.trace import Trace

ROWS_AT_ONCE = 64
"""Enough that projecting the values anew for every block of rows costs little beside the rest."""


@dataclass(frozen=True, eq=False)
class AroundAttention:
    """One layer: the stream that its block was given, and what its output projection put out, scaled where it is."""

    given: Float[Tensor, "token hidden"]
    added: Float[Tensor, "token hidden"]


def keeping_streams(wired: Wiring, into: Recording) -> list[AroundAttention]:
    """A list that the recording's pass fills with each layer's AroundAttention."""
    kept: list[AroundAttention] = []
    given: list[Tensor] = []

    def enter(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given.append(next(tensors((args, kwargs)))[0].detach().clone())

    def add(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
        kept.append(AroundAttention(given.pop(), wires[module].scaled(output[0].detach()).clone()))

    wires = {layer.projection: layer for layer in wired.present if layer.projection is not None}
    for block in {layer.block for layer in wired.present}:
        into.hook(block, ModuleHook(before=enter))
    for projection in wires:
        into.hook(projection, ModuleHook(after=add))
    return kept


def rebuilt_layers(trace: Trace) -> list[RebuiltLayer]:
    """The trace's captured layers from the bottom to the top, as `Wiring.present` has them."""
    return [layer for layer in trace.stack if isinstance(layer, RebuiltLayer)]


@dataclass(frozen=True, eq=False)
class SplitAttention:
    """One layer's attention output, split by the token that it came from: Σ_h A[h, q, k] · v_k W_O^h for each q and k.

    Source: Kobayashi et al. 2020, equation 5.
    """

    layer: RebuiltLayer
    wired: LayerWiring
    _weight: Float[Tensor, "head dim hidden"] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_weight", self.wired.weight)

    @property
    def numbers_per_row(self) -> int:
        """For `following.times`: at most ROWS_AT_ONCE rows together, fewer where their weights are many."""
        return max(self.layer.n_heads * self.layer.n_keys, attention_layers.BLOCK_WEIGHTS // ROWS_AT_ONCE)

    @torch.no_grad()
    def blocks(
        self, rows: slice, heads: slice = slice(None)
    ) -> Iterator[tuple[slice, Float[Tensor, "key row hidden"]]]:
        """Keys and what each of them adds at each of the rows; keys that no row sees are left out.

        The rows' own tokens are always among them.
        """
        weights = self.layer.weights(heads, rows)  # [head, row, key]
        group = self.layer.n_heads // self.layer.n_kv_heads
        kv_head_of = torch.arange(*heads.indices(self.layer.n_heads), device=self.layer.device) // group
        seen = self.layer.captured.visibility.span(rows)
        first, last = min(seen.start, rows.start), max(seen.stop, rows.stop)
        for block in row_blocks(last - first, sum(weights.shape[:2]) * self._weight.shape[-1]):
            keys = slice(first + block.start, first + block.stop)
            value = self.layer.captured.value[kv_head_of, keys].float()  # [head, key, dim]
            projected = torch.matmul(value, self._weight[heads]).transpose(0, 1)  # [key, head, hidden]
            yield keys, torch.matmul(weights[:, :, keys].permute(2, 1, 0), projected)
