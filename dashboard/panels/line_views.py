"""Attention as lines: our own for any length, BertViz's for those who know it, and a score's parts."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from components import bertviz_view, head_lines, query_key
from dashboard import runtime, state
from dashboard.panels.atlas import Head
from dashboard.panels.compare import name
from dashboard.panels.head_view import pinned_query
from dashboard.panels.text import label, quoted

if TYPE_CHECKING:
    from dashboard.engine import Trace

_SEGMENTS = ["all", "A→A", "A→B", "B→A", "B→B"]
_MOST_TOKENS = 2_048


def _heads_of(trace: "Trace", view: state.View, selected: Head) -> list[Head]:
    """The compared heads, or the selected one."""
    site = trace.sites[0]
    heads = [head for head in view.compare if head[0] < site.n_layers and head[1] < site.n_heads]
    return heads or [selected]


def lines_view(trace: "Trace", view: state.View, selected: Head) -> None:
    """Head lines: the strongest keys of each query, a colour a head.

    Raises:
        EngineError: A head cannot be drawn; the message says why.
    """
    n_tokens = len(trace.tokens)
    if n_tokens > _MOST_TOKENS:
        st.info(
            f"Lines are drawn for up to {_MOST_TOKENS:,} tokens; this text has {n_tokens:,}. Use a heat map.",
            icon=":material/info:",
        )
        return
    heads = _heads_of(trace, view, selected)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = st.slider("Strongest lines a query", 1, 10, 3, width=220, key="lines_k", persist_state="session")
        hide = st.toggle("Hide first token", key="lines_hide", persist_state="session")
        if n_tokens > 2:
            split = st.slider(
                "Part B starts at token", 1, n_tokens - 1, _second_sentence(trace), width=260, key=f"split_{n_tokens}"
            )
            segment = st.segmented_control("Lines", _SEGMENTS, default="all", key="lines_segment") or "all"
        else:
            split, segment = 1, "all"
    weights = np.stack([runtime.weights(trace, *head) for head in heads])
    if hide:
        weights[:, :, 0] = 0
    segments = (np.arange(n_tokens) >= split).astype(np.int8)
    labels = [label(token) for token in trace.tokens]
    payload = head_lines.build(
        labels,
        labels,
        head_lines.strongest(weights, k),
        heads=[(name(head), slot % 8) for slot, head in enumerate(heads)],
        query_segments=segments,
        key_segments=segments,
        segment=segment,
        pinned=view.pin if view.pin is not None and view.pin < n_tokens else None,
    )

    def pin() -> None:
        event = head_lines.read_event("head_lines")
        if event is not None:
            state.update(pin=None if event == head_lines.UNPIN else event)

    head_lines.head_lines(payload, key="head_lines", on_pin=pin)
    st.caption(
        "Left: the token that looks. Right: what it looks at. Point at a token to isolate it, click to pin it. "
        "The heads are those chosen for comparison on the Heads page, or the selected one."
    )


def _second_sentence(trace: "Trace") -> int:
    """Where the second sentence or segment seems to begin; the middle if there is one sentence."""
    n_tokens = len(trace.tokens)
    for index, token in enumerate(trace.tokens[:-2]):
        if index > 0 and (token.special or token.text in {".", "!", "?", "↵", "。"}):
            return index + 1
    return max(1, n_tokens // 2)


def bertviz(trace: "Trace", view: state.View, selected: Head, kind: state.Drawing) -> None:
    """BertViz's own drawing, with the layers that the visitor chooses.

    Raises:
        EngineError: A layer cannot be read; the message says why.
    """
    n_layers = trace.sites[0].n_layers
    layers = st.multiselect(
        "Layers",
        list(range(n_layers)),
        default=[selected[0]],
        format_func=lambda layer: f"L{layer}",
        key="bertviz_layers",
    )
    if not layers:
        st.info("Choose at least one layer.", icon=":material/layers:")
        return
    site, n_tokens = trace.sites[0], len(trace.tokens)
    n_weights = len(layers) * site.n_heads * n_tokens**2
    if n_weights > bertviz_view.LIMIT:
        most = bertviz_view.LIMIT // (site.n_heads * n_tokens**2)
        st.warning(
            f"{len(layers)} layers × {site.n_heads} heads × {n_tokens}² tokens are {n_weights:,} lines; BertViz draws "
            f"at most {bertviz_view.LIMIT:,}. "
            + (f"Choose up to {most} layers, or " if most else "Choose a shorter text, or ")
            + "use *Head lines* or the Heads page: they take any length.",
            icon=":material/warning:",
        )
        return
    weights = np.stack([runtime.weights(trace, layer) for layer in sorted(layers)])
    tokens = [(" " if token.space else "") + token.text for token in trace.tokens]
    draw = bertviz_view.head_view if kind == "head" else bertviz_view.model_view
    shown = draw(weights, tokens, sorted(layers), dark=st.context.theme.type == "dark")
    st.caption(f"{shown.n_bytes / 1e6:.2f} MB, weights rounded to 4 digits, nothing fetched from the network.")
    height = min(1200, 160 + (26 * n_tokens if kind == "head" else 90 * len(layers)))
    st.iframe(shown.html, height=height)


def parts_view(trace: "Trace", view: state.View, selected: Head) -> None:
    """The neuron view's idea: query × key, dimension by dimension.

    Raises:
        EngineError: Queries and keys could not be captured; the message says so.
    """
    query = pinned_query(trace, view)
    parts = runtime.query_key(trace, *selected, query)
    payload = query_key.build(
        [label(token) for token in trace.tokens],
        query,
        parts.query,
        parts.keys,
        parts.scores,
        parts.weights,
        scale=parts.scale,
        title=f"{name(selected)}",
    )
    st.markdown(f"**Why {quoted(trace.tokens[query])} looks where it looks, in {name(selected)}**")
    query_key.query_key(payload, key="query_key")
    st.caption(
        "Each bar is one dimension of the query, of the key, or of their product; the products times the scale add up "
        "to the score, and the softmax of all scores gives the weights. Queries and keys are shown with their position "
        "encoding, as they are multiplied."
    )
