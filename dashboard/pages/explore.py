"""Explore: one text, what the model says, what it rests on, and where that happens inside."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import runtime, state
from dashboard.panels.heads import heads_row
from dashboard.panels.prediction import prediction_row
from dashboard.panels.text import duration
from dashboard.panels.waiting import result_of

if TYPE_CHECKING:
    from dashboard.engine import LoadedModel, Trace


def text_form(view: state.View) -> None:
    """The text box. What is typed stays typed: it is replaced only by a link, an example or the back button."""
    if st.session_state.get("text_from_link") != view.shown_text:
        st.session_state["text_from_link"] = st.session_state["text_box"] = view.shown_text

    def run() -> None:
        typed = st.session_state["text_box"]
        st.session_state["text_from_link"] = typed
        state.update(text=typed, target=None, pin=None, zoom=None)

    with st.form("text", border=False, enter_to_submit=True):
        box, button = st.columns([8, 1], vertical_alignment="bottom")
        box.text_area(
            "Text",
            key="text_box",
            height=80,
            label_visibility="collapsed",
            placeholder="Type a text, or choose an example on the left",
        )
        button.form_submit_button("Run", on_click=run, type="primary", width="stretch", help="Ctrl+Enter in the text")


def status_line(trace: "Trace") -> None:
    """How long the text is, how long it took, and how exactly this pass was reproduced."""
    facts = trace.model.facts
    limit = f" of {facts.max_tokens:,}" if facts.max_tokens else ""
    exact = "" if trace.output_error is None else f" · attention reproduces this pass to {trace.output_error:.0e}"
    st.caption(f"{len(trace.tokens):,}{limit} tokens · {duration(trace.seconds)}{exact}")


def results(trace: "Trace", view: state.View, live: bool) -> None:
    """Everything below the text box."""
    with st.container(key="results" if live else "results_waiting"):
        prediction_row(trace, view, live)
        st.divider()
        heads_row(trace, view, live)


def skeleton() -> None:
    """The page's shape before there is anything to show, so that nothing jumps when it comes."""
    left, right = st.columns([5, 8], gap="large")
    left.html('<div class="skeleton" style="height: 17rem"></div>')
    right.html('<div class="skeleton" style="height: 17rem"></div>')
    for column, height in zip(st.columns([4, 8, 4], gap="large"), (32, 32, 32), strict=True):
        column.html(f'<div class="skeleton" style="height: {height}rem"></div>')


def _older_results() -> None:
    """The last results, dimmed, while new ones are computed or cannot be."""
    shown: state.View | None = st.session_state.get("shown")
    trace = None if shown is None else runtime.finished_trace(shown.model, shown.shown_text)
    if shown is None or trace is None:
        skeleton()
    else:
        results(trace, shown, live=False)


def _trace(model: "LoadedModel | None", view: state.View) -> "Trace | None":
    return None if model is None else result_of(runtime.trace_job(model, view.shown_text), "trace")


def page() -> None:
    """Draws the page."""
    view = state.current()
    text_form(view)
    model = result_of(runtime.model_job(view.model), "model")
    trace = _trace(model, view)
    if trace is None:
        _older_results()
        return
    status_line(trace)
    results(trace, view, live=True)
    st.session_state["shown"] = view


page()
