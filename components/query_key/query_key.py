"""From a query and the keys to the weights: every product of the dot product, for one head and one token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.checks import integers, numbers, within
from components.register import Callback, nothing, register, triggered
from components.tokens import TokenLabel, to_columns
from components.wire import pack

MAX_KEYS = 64
MAX_DIM = 1024

_component = register("query_key")


def build(
    tokens: Sequence[TokenLabel],
    query_index: int,
    query: npt.ArrayLike,
    keys: npt.ArrayLike,
    scores: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    scale: float,
    top: int = 16,
    query_token: TokenLabel | None = None,
    title: str = "",
    note: str = "",
) -> bytes:
    """The keys with the largest weights as a payload, strongest first.

    Args:
        tokens: the key tokens.
        query_index: the token that looks.
        query: its vector [dim], position-encoded.
        keys: the keys' vectors [key, dim], position-encoded.
        scores: before the softmax, scaled and with whatever else the model adds [key]; NaN where the query may
            not see the key.
        weights: after the softmax [key]; NaN where the query may not see the key.
        scale: what the model multiplies the dot product with. Where a score is not q·k·scale (position biases,
            soft caps), the reader is told the difference.
        top: how many keys are shown, at most 64.
        query_token: the token that looks, where it is not one of `tokens` (cross-attention).
        title: shown above.
        note: a sentence below the legend, for instance on what the model adds to the scores.

    Raises:
        ValueError: shapes that do not fit each other, or no key to show.
    """
    vector, table = numbers("query", query, 1), numbers("keys", keys, 2)
    before, after = numbers("scores", scores, 1), numbers("weights", weights, 1)
    if table.shape != (len(tokens), len(vector)) or before.shape != after.shape or len(before) != len(tokens):
        raise ValueError(
            f"{len(tokens)} tokens need keys [{len(tokens)}, {len(vector)}] and as many scores and weights; "
            f"got {table.shape}, {before.shape} and {after.shape}"
        )
    if len(vector) > MAX_DIM:
        raise ValueError(f"at most {MAX_DIM} dimensions can be drawn; got {len(vector)}")
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be a positive number; got {scale}")
    if not 0 < top <= MAX_KEYS:
        raise ValueError(f"1 to {MAX_KEYS} keys are shown; got {top}")
    if query_token is None:
        query_token = tokens[within("query_index", query_index, len(tokens))]
    order = np.argsort(-np.nan_to_num(after, nan=-1), kind="stable")
    order = order[~np.isnan(after[order]) & ~np.isnan(before[order])][:top]
    if not order.size or np.isnan(vector).any() or np.isnan(table[order]).any():
        raise ValueError("no key is visible to this query, or a vector holds NaN")
    header = {
        "query": to_columns([query_token]),
        "query_index": int(query_index),
        "tokens": to_columns([tokens[index] for index in order]),
        "indices": order.tolist(),
        "dim": len(vector),
        "scale": float(scale),
        "hidden": float(1 - np.nansum(after[order])),
        "n_keys": int((~np.isnan(after)).sum()),
        "title": title,
        "note": note,
    }
    parts = (vector, table[order], before[order], after[order])
    return pack(header, b"".join(part.tobytes() for part in parts))


def _event(value: object) -> int | None:
    return (integers(value) or (None,))[0]


def read_event(key: str) -> int | None:
    """The index of the chosen key token, read inside an `on_select` callback."""
    return _event(triggered(key, "select"))


def query_key(payload: bytes, *, key: str, on_select: Callback = nothing) -> int | None:
    """Shows what `build` gave; returns the key token chosen in this run, or None."""
    return _event(_component(data=payload, key=key, on_select_change=on_select).get("select"))
