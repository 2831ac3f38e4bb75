"""Query tokens at the left, key tokens at the right, and a line for each strong weight of the chosen heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.checks import integers, numbers, one_of, within
from components.register import Callback, nothing, register, triggered
from components.tokens import TokenLabel, to_columns
from components.wire import pack

SEGMENTS = ("all", "A→A", "A→B", "B→A", "B→B")
MAX_HEADS = 8
MAX_TOKENS = 20_000
MAX_LINES = 200_000
UNPIN = -1

_component = register("head_lines")


class Lines(NamedTuple):
    """Which query looks at which key, in which of the chosen heads, and how much; one entry a line."""

    query: npt.NDArray[np.uint32]
    key: npt.NDArray[np.uint32]
    head: npt.NDArray[np.uint8]
    weight: npt.NDArray[np.float32]


def strongest(weights: npt.ArrayLike, k: int) -> Lines:
    """The k largest weights of each head's and each query's row, strongest first; zeros and NaN make no line.

    Args:
        weights: [head, query, key].
        k: lines a query and head.
    """
    array = np.nan_to_num(numbers("weights", weights, 3))  # [head, query, key]
    if k < 1:
        raise ValueError(f"k is at least 1; got {k}")
    keys = np.argsort(-array, axis=2, kind="stable")[:, :, :k]  # [head, query, k]
    values = np.take_along_axis(array, keys, axis=2)
    head, query = np.indices(keys.shape)[:2]
    seen = values > 0
    return Lines(
        query[seen].astype(np.uint32),
        keys[seen].astype(np.uint32),
        head[seen].astype(np.uint8),
        values[seen].astype(np.float32),
    )


def build(
    queries: Sequence[TokenLabel],
    keys: Sequence[TokenLabel],
    lines: Lines,
    *,
    heads: Sequence[tuple[str, int]],
    query_segments: npt.ArrayLike | None = None,
    key_segments: npt.ArrayLike | None = None,
    segment: str = "all",
    pinned: int | None = None,
    title: str = "",
    note: str = "",
    max_height: int = 600,
) -> bytes:
    """The lines as a payload.

    Args:
        queries: tokens that look.
        keys: tokens looked at.
        lines: what `strongest` gave; `lines.head` counts into `heads`.
        heads: name and colour (0 to 7) of each head, such as ("L5 H1", 0).
        query_segments: for each query token 0 (sentence A), 1 (sentence B) or -1 (neither, always shown faded
            when filtered); None if there is one sentence.
        key_segments: the same for the key tokens.
        segment: "all", or only lines from one sentence to another, such as "A→B".
        pinned: index of the query token whose lines stay isolated.
        title: shown above.
        note: beside the legend, for instance how many lines a query has.
        max_height: in pixels; longer texts scroll.

    Raises:
        ValueError: a line outside the tokens or heads, a weight not above 0, too much of anything.
    """
    if not (0 < len(queries) <= MAX_TOKENS and 0 < len(keys) <= MAX_TOKENS):
        raise ValueError(f"both sides have 1 to {MAX_TOKENS} tokens; got {len(queries)} and {len(keys)}")
    if not 0 < len(heads) <= MAX_HEADS:
        raise ValueError(f"1 to {MAX_HEADS} heads are drawn together; got {len(heads)}")
    sides = [_segments("query", query_segments, len(queries)), _segments("key", key_segments, len(keys))]
    shown = [np.ones(len(queries), bool), np.ones(len(keys), bool)]
    if one_of("segment", segment, SEGMENTS) != "all":
        for side, letter in enumerate(segment.split("→")):
            if (places := sides[side]) is None:
                raise ValueError(f"segment {segment!r} needs query_segments and key_segments")
            shown[side] = places == "AB".index(letter)
    query, key, head, weight = _checked(lines, len(queries), len(keys), len(heads))
    kept = shown[0][query] & shown[1][key]
    header = {
        "queries": to_columns(queries),
        "keys": to_columns(keys),
        "n_lines": int(kept.sum()),
        "heads": [[name, within("a head's colour", colour, MAX_HEADS)] for name, colour in heads],
        "segments": [None if side is None else side.tolist() for side in sides],
        "shown": [side.astype(int).tolist() for side in shown],
        "pinned": None if pinned is None else within("pinned query", pinned, len(queries)),
        "title": title,
        "note": note,
        "max_height": int(max_height),
    }
    columns = (weight.astype("<f4"), query.astype("<u4"), key.astype("<u4"), head.astype("u1"))
    return pack(header, b"".join(column[kept].tobytes() for column in columns))


def _segments(name: str, values: npt.ArrayLike | None, count: int) -> npt.NDArray[np.int64] | None:
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (count,) or not np.isin(array, (-1, 0, 1)).all():
        raise ValueError(f"{name}_segments hold -1, 0 or 1 for each of {count} tokens; got shape {array.shape}")
    return array.astype(np.int64)


def _checked(lines: Lines, n_queries: int, n_keys: int, n_heads: int) -> Lines:
    arrays = Lines._make(np.asarray(column) for column in lines)
    if len({column.shape for column in arrays}) != 1 or arrays.weight.ndim != 1:
        raise ValueError(f"the four columns of lines have one length; got {[c.shape for c in arrays]}")
    if len(arrays.weight) > MAX_LINES:
        raise ValueError(f"{len(arrays.weight):,} lines are too many: take fewer than {MAX_LINES:,}")
    for name, column, stop in (
        ("query", arrays.query, n_queries),
        ("key", arrays.key, n_keys),
        ("head", arrays.head, n_heads),
    ):
        if column.size and not (column.dtype.kind in "iu" and column.min() >= 0 and column.max() < stop):
            raise ValueError(f"a line's {name} is outside 0..{stop - 1}")
    if not (np.isfinite(arrays.weight).all() and (arrays.weight > 0).all()):
        raise ValueError("a line's weight is a number above 0")
    return arrays


def _event(value: object) -> int | None:
    return (integers(value) or (None,))[0]


def read_event(key: str) -> int | None:
    """The pinned query token or UNPIN, read inside an `on_pin` callback."""
    return _event(triggered(key, "pin"))


def head_lines(payload: bytes, *, key: str, on_pin: Callback = nothing) -> int | None:
    """Shows what `build` gave; returns the query token pinned in this run, UNPIN, or None."""
    return _event(_component(data=payload, key=key, on_pin_change=on_pin).get("pin"))
