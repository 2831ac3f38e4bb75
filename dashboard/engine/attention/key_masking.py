"""Keys hidden from every query of a pass, for models that take no attention mask themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Bool
from torch import Tensor

from dashboard.engine.attention.visibility import unmasked

_kept: ContextVar[Tensor | None] = ContextVar("attention_dashboard_kept", default=None)


@contextmanager
def hiding(keep: Bool[Tensor, "batch key"]) -> Iterator[None]:
    """Within this block, and this thread, no query of a capturing model sees the keys that are not kept, in any layer.

    For models of one stack of layers.
    """
    token = _kept.set(keep)
    try:
        yield
    finally:
        _kept.reset(token)


def with_hidden(mask: Tensor | None, query: Tensor, key: Tensor, causal: bool) -> Tensor | None:
    """The additive mask of one layer with what is hidden; as it was where nothing is.

    Args:
        mask: What the model itself passes.
        query: Of all heads.
        key: The same.
        causal: No query looks ahead, which the mask does not say.
    """
    keep = _kept.get()
    if keep is None:
        return mask
    if mask is None:
        allowed = unmasked(query.shape[2], key.shape[2], causal=causal, device=query.device)
        mask = allowed.additive(slice(None)).to(query.dtype)[None, None]
    return mask.masked_fill(~keep[:, None, None], torch.finfo(query.dtype).min)
