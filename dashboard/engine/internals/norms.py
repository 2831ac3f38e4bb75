"""Normalisations seen as what they are: a diagonal map over one number a token (its denominator).

With denominators held constant a normalisation is linear, so it can be applied to the parts of a sum. Which kind a
module is (layer norm or root mean square) is found by trying it, not by its name.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_PROBE = 100.0
"""Far above any ε under the root."""
_ROUNDING = {torch.float32: 1e-3, torch.bfloat16: 3e-2, torch.float16: 1e-2}


@dataclass(frozen=True, eq=False)
class LinearNorm:
    """norm(z) = weight ⊙ (z − mean z) / d(z) + bias; the mean stays in where it is not `centred` (RMS norm).

    Source: Ba et al. 2016 (layer norm); Zhang & Sennrich 2019 (RMS norm); held constant as in Kobayashi et al. 2021.
    """

    module: Any
    weight: Float[Tensor, "hidden"]
    bias: Float[Tensor, "hidden"]
    centred: bool

    def spread(self, vectors: Float[Tensor, "*rest hidden"]) -> Float[Tensor, "*rest hidden"]:
        """Weight ⊙ (z − mean z): all but the division."""
        centred = vectors - vectors.mean(-1, keepdim=True) if self.centred else vectors
        return centred * self.weight

    def factors(
        self, before: Float[Tensor, "token hidden"], after: Float[Tensor, "token hidden"]
    ) -> Float[Tensor, "token"]:
        """1/d of each token, from what went in and what came out (least squares over the dimensions)."""
        spread = self.spread(before.float())
        return ((after.float() - self.bias) * spread).sum(-1) / spread.square().sum(-1).clamp_min(1e-30)

    def gradient(self, gradient: Float[Tensor, "hidden"], factor: Float[Tensor, ""]) -> Float[Tensor, "hidden"]:
        """The gradient before the norm for a gradient after it, with the denominator held constant."""
        weighted = gradient * self.weight * factor
        return weighted - weighted.mean() if self.centred else weighted


@torch.no_grad()
def read_norm(module: Any, hidden: int, like: Tensor) -> LinearNorm | None:
    """The module as a norm over vectors of this width; None if it is something else.

    Args:
        module: Takes one tensor.
        hidden: The width.
        like: Says device and number format.
    """
    signs = torch.ones(hidden, device=like.device)
    signs[1::2] = -1
    if hidden % 2:
        signs[-1] = 0  # keeps the mean at zero; that dimension's weight is read from the next probe
    generator = torch.Generator().manual_seed(0)
    random = (torch.randn(3, hidden, generator=generator) * _PROBE).to(like.device)

    def apply(rows: Tensor) -> Tensor:
        result = module(rows.to(like.dtype)[None])
        return result[0].float()

    bias = apply(torch.zeros(1, hidden, device=like.device))[0]
    if bias.shape != signs.shape:
        return None  # another width, such as a head on every token
    size = signs.square().mean().sqrt()
    weight = (apply(signs[None] * _PROBE)[0] - bias) * signs * size
    if hidden % 2:
        rolled = signs.roll(1)
        weight[-1] = ((apply(rolled[None] * _PROBE)[0] - bias) * rolled * size)[-1]
    given = random.to(like.dtype)
    after, tolerance = apply(given), _ROUNDING.get(like.dtype, 1e-3)
    scale = (after - bias).abs().max().clamp_min(1e-30)
    if float((apply(given * 2) - after).abs().max() / scale) > tolerance:
        return None  # not indifferent to length, so no norm
    for centred in (True, False):
        norm = LinearNorm(module, weight, bias, centred)
        rebuilt = norm.spread(given.float()) * norm.factors(given, after)[:, None] + bias
        if float((rebuilt - after).abs().max() / scale) <= tolerance:
            return norm
    return None
