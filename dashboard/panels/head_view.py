"""One head's attention as a heat map, and one row of it over the text."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from components import heat_map, token_strip
from dashboard import runtime, state
from dashboard.panels.text import label, number, percent, quoted

if TYPE_CHECKING:
    from dashboard.engine import HeatMap, Token, Trace

_STRONGEST = 6
# A change of head sends the map and the text's strip; together they stay below 0.3 MB at any length.
_SENT_BYTES, _BYTES_PER_TOKEN, _SMALLEST_MAP, _LARGEST_MAP = 270_000, 16, 96, 256


@dataclass(frozen=True)
class Chosen:
    """The head that is shown, and how."""

    trace: "Trace"
    view: state.View
    layer: int
    head: int

    @cached_property
    def units(self) -> tuple["Token", ...]:
        """What rows and columns stand for: tokens, or words."""
        return runtime.words(self.trace) if self.view.words else self.trace.tokens

    def unit_of(self, token: int) -> int:
        """The row or column that a token is part of."""
        return self.trace.tokens[token].word if self.view.words else token

    def tokens_of(self, unit: int) -> tuple[int, int]:
        """First token of a row or column, and one past its last."""
        return runtime.word_span(self.trace, unit) if self.view.words else (unit, unit + 1)

    def axis(self, edges: np.ndarray, *, words: bool | None = None) -> heat_map.Axis:
        """One side of a map: each pixel named by its first token or word."""
        if words is False:
            return heat_map.Axis([label(self.trace.tokens[edge]) for edge in edges[:-1]], edges)
        return heat_map.Axis([label(self.units[self.unit_of(edge)]) for edge in edges[:-1]], edges)

    def picture(self, window: tuple[int, int, int, int] | None, max_pixels: int) -> "HeatMap":
        """The attention within a window."""
        return runtime.heat_map(
            self.trace,
            layer=self.layer,
            head=self.head,
            over=self.view.over,
            hide=self.view.hide,
            words=self.view.words,
            window=window,
            max_pixels=max_pixels,
        )


def pinned_query(trace: "Trace", view: state.View) -> int:
    """The query whose row is shown: the visitor's, the one that makes the prediction, or the first ordinary one."""
    if view.pin is not None:
        return min(view.pin, len(trace.tokens) - 1)
    if trace.prediction.position is not None:
        return trace.prediction.position
    return next((i for i, token in enumerate(trace.tokens) if not token.special), 0)


def window_of(trace: "Trace", view: state.View) -> tuple[int, int, int, int] | None:
    """The zoom, cut to this text."""
    if view.zoom is None:
        return None
    n_tokens = len(trace.tokens)
    q0, q1, k0, k1 = (min(edge, n_tokens) for edge in view.zoom)
    return (q0, q1, k0, k1) if q0 < q1 and k0 < k1 else None


def _max_pixels(n_tokens: int) -> int:
    left = max(0, _SENT_BYTES - _BYTES_PER_TOKEN * n_tokens)
    return int(np.clip((left / 4) ** 0.5, _SMALLEST_MAP, _LARGEST_MAP))


def heat_map_panel(chosen: Chosen) -> "HeatMap":
    """Draws the map with its heading and what it means.

    Raises:
        EngineError: There is nothing to draw; the message says why.
    """
    trace, view = chosen.trace, chosen.view
    n_heads = trace.sites[0].n_heads
    names = {"head": f"Head {chosen.head}", "mean": f"mean of {n_heads} heads", "max": f"maximum of {n_heads} heads"}
    title = f"Layer {chosen.layer} · {names[view.over]}"
    st.subheader(title)
    window = window_of(trace, view)
    picture = chosen.picture(window, _max_pixels(len(trace.tokens)))
    payload = heat_map.build(
        picture.values,
        query=chosen.axis(picture.query_edges),
        key=chosen.axis(picture.key_edges),
        pooling=picture.pooling,
        scale=view.scale,
        palette=view.palette,
        pinned=pinned_query(trace, view),
        zoomed=window is not None,
    )

    def pin() -> None:
        event = heat_map.read_event("heat_map")
        if event.pin is not None:
            state.update(pin=None if event.pin == heat_map.UNPIN else event.pin)

    def zoom() -> None:
        event = heat_map.read_event("heat_map")
        if event.zoom is not None:
            state.update(zoom=event.zoom or None)

    heat_map.heat_map(payload, key="heat_map", on_pin=pin, on_zoom=zoom)
    st.caption(_explanation(view, picture))
    st.page_link("pages/how_to_read.py", label="How to read this", icon=":material/menu_book:")
    return picture


def _explanation(view: state.View, picture: "HeatMap") -> str:
    said = ["Each row is a token that looks; its columns are the tokens it looks at."]
    if view.over == "max":
        said.append("Each cell is the strongest of the layer's heads, so rows do not sum to 1.")
    if picture.hidden_share > 0 and view.hide != "nothing":
        what = "the first token" if view.hide == "first" else "special tokens"
        share = percent(picture.hidden_share)
        said.append(f"**{share} of the attention is on {what}, hidden here**; rows are scaled to sum to 1 without it.")
    if view.words:
        said.append("Words: summed over a key's parts, averaged over a query's.")
    if picture.pooling != "none":
        said.append("Each pixel is the strongest of several weights: drag to zoom in on exact ones.")
    said.append("High attention is not proof of importance.")
    return " ".join(said)


def row_panel(chosen: Chosen, picture: "HeatMap") -> None:
    """Draws the pinned row: its strongest keys, and all of it as shading over the text.

    Raises:
        EngineError: As heat_map_panel.
    """
    trace, view, units = chosen.trace, chosen.view, chosen.units
    unit = chosen.unit_of(pinned_query(trace, view))
    n_tokens = len(trace.tokens)
    row = chosen.picture((*chosen.tokens_of(unit), 0, n_tokens), max_pixels=n_tokens).values[0]
    st.subheader(f"{quoted(units[unit])} looks at")
    order = np.argsort(-np.nan_to_num(row, nan=-1))[:_STRONGEST]
    lines = [f"| {quoted(units[i])} | {number(row[i])} |" for i in order if row[i] > 0]
    st.markdown("\n".join(["| token | weight |", "|:--|--:|", *lines]))
    shown = slice(0, token_strip.MAX_TOKENS)
    payload = token_strip.build(
        [label(token) for token in units[shown]],
        row[shown],
        scale="sequential",
        maximum=max(picture.maximum, float(np.nanmax(row, initial=0)), 1e-6),
        palette=view.palette,
        selected=unit if unit < token_strip.MAX_TOKENS else None,
        value_name="attention",
        max_height=260,
    )

    def choose() -> None:
        clicked = token_strip.read_event("row_strip")
        if clicked is not None:
            state.update(pin=chosen.tokens_of(clicked)[0])

    token_strip.token_strip(payload, key="row_strip", on_select=choose)
    st.caption("Click a token here or a row of the map to look from it.")
    if view.hide == "nothing" and unit > 0 and row[0] > 0.3:
        st.caption(
            f"**{percent(float(row[0]))} of this row is on the first token.** Heads that have nothing to do rest "
            "there: an attention sink. Hide it above to see the rest."
        )
