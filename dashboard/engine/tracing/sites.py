"""Where in a model tokens attend to tokens, and where to start looking there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dashboard.engine.attention.layers import Layer
from dashboard.engine.attention.layout import SITES
from dashboard.engine.inputs.tokens import Token
from dashboard.engine.tracing.encoding import Encoded


@dataclass(frozen=True)
class Site:
    """A place in a model where tokens attend to tokens.

    Attributes:
        name: "self"; "cross", "decoder" or "encoder" in models that write a target from a source.
        n_layers: Layers, those without softmax attention included.
        n_heads: Heads of the layer that has most.
        n_kv_heads: The same for key and value heads.
        query_tokens: What attends. In cross-attention the tokens as they are written: in row i, token i is decided.
        key_tokens: What is attended to.
        query_text: The text of the queries.
        key_text: The text of the keys.
        in_order: Queries and keys are the same tokens, in the order of a text: distances between them mean something.
    """

    name: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    query_tokens: tuple[Token, ...]
    key_tokens: tuple[Token, ...]
    query_text: str = ""
    key_text: str = ""
    in_order: bool = True

    @property
    def title(self) -> str:
        """For people."""
        return SITES[self.name].title

    @property
    def meaning(self) -> str:
        """What attends to what, one sentence."""
        return SITES[self.name].meaning


Side = tuple[tuple[Token, ...], str]


def find_sites(
    layers: Mapping[str, Sequence[Layer | None]], encoded: Encoded, tokens: tuple[Token, ...], tokenizer: Any
) -> tuple[Site, ...]:
    """The sites of one pass, the one to look at first before the others."""
    source: Side = (tokens, encoded.text)
    sides: dict[str, tuple[Side, Side]] = {"self": (source, source), "encoder": (source, source)}
    if encoded.target is not None:
        read: Side = (encoded.target.read_tokens(tokenizer), encoded.target.text)
        written: Side = (encoded.target.written_tokens(tokenizer), encoded.target.text)
        sides |= {"cross": (written, source), "decoder": (read, read)}
    order = [name for name in ("self", "cross", "decoder", "encoder") if name in layers]
    return tuple(_site(name, layers[name], *sides[name], image=encoded.picture is not None) for name in order)


def _site(name: str, layers: Sequence[Layer | None], query: Side, key: Side, *, image: bool) -> Site:
    present = [layer for layer in layers if layer is not None]
    n_heads, n_kv_heads = (max(layer.n_heads for layer in present), max(layer.n_kv_heads for layer in present))
    in_order = name != "cross" and not image
    return Site(name, len(layers), n_heads, n_kv_heads, query[0], key[0], query[1], key[1], in_order)


def reading_head(layers: Sequence[Layer | None], site: Site, query: int) -> tuple[int, int]:
    """The layer and head that look hardest from this query at one other ordinary token; see Trace.reading_head."""
    same = site.query_tokens is site.key_tokens
    ignored = torch.tensor(
        [token.special or (same and i in (0, query)) for i, token in enumerate(site.key_tokens)], dtype=torch.bool
    )
    best, found = -1.0, (0, 0)
    for index, layer in enumerate(layers):
        if layer is None:
            continue
        weights = layer.weights(slice(None), slice(query, query + 1))[:, 0].cpu()  # [head, key]
        strongest, head = weights.masked_fill(ignored, 0).amax(1).max(0)
        if float(strongest) > best:
            best, found = float(strongest), (index, int(head))
    return found
