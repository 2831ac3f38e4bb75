"""Where in a model tokens attend to tokens, and where to start looking there."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dashboard.engine.attention import Layer
from dashboard.engine.tokens import Token


@dataclass(frozen=True)
class Site:
    """A place in a model where tokens attend to tokens. So far every model has one: "self"."""

    name: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    query_tokens: tuple[Token, ...]
    key_tokens: tuple[Token, ...]


def self_attention(layers: Sequence[Layer | None], tokens: tuple[Token, ...]) -> Site:
    """The site at which a text attends to itself; `layers` has None for layers without softmax attention."""
    present = [layer for layer in layers if layer is not None]
    n_heads, n_kv_heads = (max(layer.n_heads for layer in present), max(layer.n_kv_heads for layer in present))
    return Site("self", len(layers), n_heads, n_kv_heads, tokens, tokens)


def reading_head(layers: Sequence[Layer | None], keys: Sequence[Token], query: int) -> tuple[int, int]:
    """The layer and head that look hardest from this query at one other ordinary token; see Trace.reading_head."""
    ignored = torch.tensor([i in (0, query) or token.special for i, token in enumerate(keys)])
    best, found = -1.0, (0, 0)
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        weights = layer.weights(slice(None), slice(query, query + 1))[:, 0].cpu()  # [head, key]
        strongest, head = weights.masked_fill(ignored, 0).amax(1).max(0)
        if float(strongest) > best:
            best, found = float(strongest), (index, int(head))
    return found
