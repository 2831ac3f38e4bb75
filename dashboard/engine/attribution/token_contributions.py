"""How much of each token's state after attention came from each token: the matrix that ALTI rolls out.

Source: Ferrando et al. 2022 (ALTI), equations 7 to 10; pre-norm streams as in Ferrando et al. 2023 (ALTI-Logit).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.attention.layers import OUTPUT_TOLERANCE, RebuiltLayer, largest
from dashboard.engine.attribution.result import Check
from dashboard.engine.internals.layer_wiring import LayerWiring
from dashboard.engine.internals.residual_stream import AroundAttention, SplitAttention


class Contributions:
    """One layer's contributions c[i, j] of token j to token i; each row is non-negative and sums to 1.

    y_i is what attention leaves in the residual stream and T_ij what token j adds to it: its values seen through the
    heads and, for j = i, the stream itself; both through the norm that follows, with its denominator held constant.
    c_ij = max(0, ‖y_i‖₁ − ‖y_i − T_ij‖₁), divided by the row's sum. Biases belong to no token.

    Attributes:
        errors: For each block of rows asked for: how far Σ_j of the parts + bias is from the attention's own output.

    Made of a pass of the norm that follows, so the caller holds `model.running()`.

    Raises:
        Unsupported: How the layer's attention joins the stream was not found.
    """

    def __init__(self, layer: RebuiltLayer, wired: LayerWiring, around: AroundAttention) -> None:
        self.split = SplitAttention(layer, wired)
        self.errors: list[float] = []
        self._stream, self._norm = wired.joined(), wired.norm
        self._bias, self._added = wired.bias, around.added.float()
        given, joined = around.given.float(), around.given + around.added
        self._own, self._state = given, joined.float()
        self._factors: Tensor | None = None
        if self._norm is not None:
            before = joined if self._stream == "normed sum" else around.added
            with torch.no_grad():
                after = self._norm.module(before[None])[0].float()
            self._factors = self._norm.factors(before, after)
            self._state = after if self._stream == "normed sum" else given + after
            if self._stream == "normed sum":
                self._own = self._norm.spread(given) * self._factors[:, None]

    @torch.no_grad()
    def rows(self, rows: slice) -> Float[Tensor, "row key"]:
        """Contributions to some tokens."""
        state, n_rows = self._state[rows], len(range(*rows.indices(len(self._state))))
        length = state.abs().sum(-1)  # [row]
        left = length[:, None].repeat(1, len(self._state))  # [row, key]
        total = torch.zeros_like(state)
        for keys, raw in self.split.blocks(rows):
            total += raw.sum(0)
            parts = self._through(raw, rows)  # [key, row, hidden]
            first, last = max(keys.start, rows.start), min(keys.stop, rows.start + n_rows)
            own = torch.arange(first, max(first, last), device=parts.device)  # none where the blocks do not meet
            parts[own - keys.start, own - rows.start] += self._own[own]
            left[:, keys] = parts.sub_(state).abs_().sum(-1).T
        self._compare(total, rows)
        found = (length[:, None] - left).clamp_min_(0)
        sums = found.sum(1, keepdim=True)
        alone = torch.zeros_like(found)  # rows to which nothing contributes keep to themselves
        alone[torch.arange(n_rows), torch.arange(rows.start, rows.start + n_rows)] = 1
        return torch.where(sums > 0, found / sums.clamp_min(1e-30), alone)

    @torch.no_grad()
    def toward(self, direction: Float[Tensor, "hidden"], row: int) -> Float[Tensor, "key"]:
        """What each key's part adds, at one row, along a direction of the stream (for streams that are sums)."""
        rows, found = slice(row, row + 1), torch.zeros(len(self._state), device=self._state.device)
        total = torch.zeros_like(self._state[rows])
        for keys, raw in self.split.blocks(rows):
            total += raw.sum(0)
            found[keys] = self._through(raw, rows)[:, 0] @ direction
        self._compare(total, rows)
        return found

    def _through(self, raw: Float[Tensor, "key row hidden"], rows: slice) -> Float[Tensor, "key row hidden"]:
        if self._norm is None or self._factors is None:
            return raw
        return self._norm.spread(raw) * self._factors[rows, None]

    def _compare(self, total: Float[Tensor, "row hidden"], rows: slice) -> None:
        own = self._added[rows]
        self.errors.append(float((total + self._bias - own).abs().max() / own.abs().max().clamp_min(1e-12)))


def parts_check(errors: list[float], dtype: torch.dtype) -> Check:
    """The parts of attention's output against the whole, over all layers and rows that were asked for."""
    return Check(
        "parts against whole",
        largest(errors) if errors else 0.0,
        OUTPUT_TOLERANCE.get(dtype, 1e-4),
        "How far the tokens' parts and the bias together are from what attention itself put out, at worst, relative "
        "to its largest number.",
    )
