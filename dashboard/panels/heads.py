"""Every head at a glance, one head's attention, and one row of it over the text."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from components import head_map, heat_map, token_strip
from dashboard import runtime, state
from dashboard.panels.text import label, number, percent, quoted
from dashboard.panels.waiting import result_of

if TYPE_CHECKING:
    from dashboard.engine import HeatMap, Token, Trace

_HIDE = {"nothing": "Nothing", "first": "First token", "special": "Special tokens"}
_SCALE = {"linear": "Linear", "log": "Logarithmic", "row": "Per row"}
_OVER = {"head": "One head", "mean": "Mean", "max": "Max"}
_JOIN = {False: "Tokens", True: "Words"}
_PALETTE = ("viridis", "cividis", "magma")
_STRONGEST = 6


@st.fragment
def heads_row(trace: "Trace", view: state.View, live: bool) -> None:
    """Head map, heat map and pinned row. A fragment: choosing a head draws only this again.

    Args:
        trace: What is shown.
        view: How it is shown, where `live` is false.
        live: True to follow the link; false for an older trace that stays on screen meanwhile.
    """
    view = state.current() if live else view
    layer, head = _selection(trace, view)
    _controls(trace, view, layer, head)
    left, middle, right = st.columns([4, 8, 4], gap="large")
    with left, st.container(key="panel_heads"):
        _head_map(trace, view, layer, head)
    with middle, st.container(key="panel_heat_map"):
        picture = _heat_map(trace, view, layer, head)
    with right, st.container(key="panel_row"):
        _row(trace, view, layer, head, picture)


def _selection(trace: "Trace", view: state.View) -> tuple[int, int]:
    """The chosen head; without a choice, one with something to see."""
    site = trace.sites[0]
    if view.layer is not None and view.head is not None:
        return min(view.layer, site.n_layers - 1), min(view.head, site.n_heads - 1)
    return trace.reading_head(_pinned(trace, state.View()))


def _head_map(trace: "Trace", view: state.View, layer: int, head: int) -> None:
    known = runtime.head_scores()
    score = known[view.score if view.score in known else "entropy"]
    title, info = st.columns([5, 1], vertical_alignment="bottom")
    title.subheader("Heads")
    with info.popover("", icon=":material/help:", width="stretch"):
        st.markdown(f"**{score.title}** — {score.meaning}")
        st.latex(score.formula)
        st.markdown(f"Source: {score.source}.")
    st.selectbox(
        "Colour heads by",
        list(known),
        format_func=lambda key: f"by {known[key].title.lower()}",
        label_visibility="collapsed",
        **state.bind("score", value=score.name),
    )
    scores = result_of(runtime.scores_job(trace), "scores", narrow=True)
    if scores is None:
        st.html('<div class="skeleton" style="height: 24rem"></div>')
        return
    values = scores[score.name]
    high = score.top if score.top is not None else float(np.nanmax(values, initial=0.0)) or 1.0
    payload = head_map.build(
        values,
        selected=(layer, head if view.over == "head" else None),
        score_name=score.title.lower() + (f" in {score.unit}" if score.unit else ""),
        low=0.0,
        high=high,
        palette=view.palette,
    )

    def choose() -> None:
        chosen = head_map.read_event("head_map")
        if chosen is None:
            return
        if chosen[1] is None:  # a layer's label
            state.update(layer=chosen[0], head=head, over="mean")
        else:
            state.update(layer=chosen[0], head=chosen[1], over="head")

    head_map.head_map(payload, key="head_map", on_select=choose)
    st.caption(f"{score.meaning} Click a head, or a layer for the mean of its heads.")


def _heat_map(trace: "Trace", view: state.View, layer: int, head: int) -> "HeatMap":
    site = trace.sites[0]
    names = {
        "head": f"Head {head}",
        "mean": f"mean of {site.n_heads} heads",
        "max": f"maximum of {site.n_heads} heads",
    }
    st.subheader(f"Layer {layer} · {names[view.over]}")
    picture = trace.heat_map(layer, head, over=view.over, hide=view.hide, words=view.words, window=_window(trace, view))
    units = _units(trace, view)
    payload = heat_map.build(
        picture.values,
        query=_axis(trace, units, picture.query_edges, view.words),
        key=_axis(trace, units, picture.key_edges, view.words),
        pooling=picture.pooling,
        scale=view.scale,
        palette=view.palette,
        pinned=_pinned(trace, view),
        zoomed=view.zoom is not None,
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
    return picture


def _controls(trace: "Trace", view: state.View, layer: int, head: int) -> None:
    """One line of controls for the map and the row beside it."""
    site = trace.sites[0]
    with st.container(horizontal=True, vertical_alignment="top", key="head_controls"):
        st.number_input("Layer", 0, site.n_layers - 1, width=105, **state.bind("layer", layer, head=head))
        st.number_input("Head", 0, site.n_heads - 1, width=105, **state.bind("head", head, layer=layer))
        st.segmented_control("Show", list(_OVER), format_func=_OVER.__getitem__, **state.bind("over"))
        st.selectbox("Hide", list(_HIDE), format_func=_HIDE.__getitem__, width=150, **state.bind("hide"))
        st.selectbox("Scale", list(_SCALE), format_func=_SCALE.__getitem__, width=130, **state.bind("scale"))
        st.selectbox("Palette", list(_PALETTE), format_func=str.title, width=120, **state.bind("palette"))
        st.segmented_control("Join", list(_JOIN), format_func=_JOIN.__getitem__, **state.bind("words"))


def _units(trace: "Trace", view: state.View) -> tuple["Token", ...]:
    return runtime.words(trace) if view.words else trace.tokens


def _axis(trace: "Trace", units: tuple["Token", ...], edges: np.ndarray, words: bool) -> heat_map.Axis:
    firsts = [units[trace.tokens[edge].word if words else edge] for edge in edges[:-1]]
    return heat_map.Axis([label(unit) for unit in firsts], edges)


def _pinned(trace: "Trace", view: state.View) -> int:
    """The query whose row is shown: the visitor's, the one that makes the prediction, or the first ordinary one."""
    if view.pin is not None:
        return min(view.pin, len(trace.tokens) - 1)
    if trace.prediction.position is not None:
        return trace.prediction.position
    return next((i for i, token in enumerate(trace.tokens) if not token.special), 0)


def _window(trace: "Trace", view: state.View) -> tuple[int, int, int, int] | None:
    """The zoom, cut to this text."""
    if view.zoom is None:
        return None
    n_tokens = len(trace.tokens)
    q0, q1, k0, k1 = (min(edge, n_tokens) for edge in view.zoom)
    return (q0, q1, k0, k1) if q0 < q1 and k0 < k1 else None


def _explanation(view: state.View, picture: "HeatMap") -> str:
    said = ["Each row is a token that looks; its columns are the tokens it looks at, and sum to 1."]
    if picture.hidden_share > 0 and view.hide != "nothing":
        what = "the first token" if view.hide == "first" else "special tokens"
        share = percent(picture.hidden_share)
        said.append(f"**{share} of the attention is on {what}, hidden here**; rows are scaled back to 1.")
    if view.words:
        said.append("Words: summed over a key's parts, averaged over a query's.")
    if picture.pooling != "none":
        said.append("Each pixel is the strongest of several weights: drag to zoom in on exact ones.")
    said.append("High attention is not proof of importance: [how to read this](/how-to-read).")
    return " ".join(said)


def _row(trace: "Trace", view: state.View, layer: int, head: int, picture: "HeatMap") -> None:
    pinned = _pinned(trace, view)
    units = _units(trace, view)
    unit = trace.tokens[pinned].word if view.words else pinned
    first = next(i for i, t in enumerate(trace.tokens) if t.word == unit) if view.words else pinned
    stop = first + (sum(t.word == unit for t in trace.tokens) if view.words else 1)
    row = trace.heat_map(
        layer,
        head,
        over=view.over,
        hide=view.hide,
        words=view.words,
        window=(first, stop, 0, len(trace.tokens)),
        max_pixels=len(trace.tokens),
    ).values[0]
    st.subheader(f"{quoted(units[unit])} looks at")
    order = np.argsort(-np.nan_to_num(row, nan=-1))[:_STRONGEST]
    lines = [f"| {quoted(units[i])} | {number(row[i])} |" for i in order if row[i] > 0]
    st.markdown("\n".join(["| token | weight |", "|:--|--:|", *lines]))
    payload = token_strip.build(
        [label(token) for token in units],
        row,
        scale="sequential",
        maximum=max(picture.maximum, float(np.nanmax(row, initial=0)), 1e-6),
        palette=view.palette,
        selected=unit,
        value_name="attention",
        max_height=260,
    )

    def choose() -> None:
        chosen = token_strip.read_event("row_strip")
        if chosen is not None:
            word_start = next(i for i, t in enumerate(trace.tokens) if t.word == chosen) if view.words else chosen
            state.update(pin=word_start)

    token_strip.token_strip(payload, key="row_strip", on_select=choose)
    st.caption("Click a token here or a row of the map to look from it.")
    if view.hide == "nothing" and unit > 0 and row[0] > 0.3:
        st.caption(
            f"**{percent(float(row[0]))} of this row is on the first token.** Heads that have nothing to do rest "
            "there: an attention sink. Hide it above to see the rest."
        )
