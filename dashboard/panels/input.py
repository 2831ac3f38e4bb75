"""The text box, and the trace that every page shows: computing, failed, older or new."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import runtime, state
from dashboard.panels.text import duration
from dashboard.panels.waiting import result_of

if TYPE_CHECKING:
    from dashboard.engine import LoadedModel, Trace

Draw = Callable[["Trace", state.View, bool], None]
"""Draws a page's results: the trace, how it is looked at, and whether it is the one that the link asks for."""


def with_trace(draw: Draw, skeleton: Callable[[], None]) -> None:
    """The text box and, below it, what `draw` makes of the link's model and text.

    While a new trace is computed, or cannot be, the last one stays, dimmed; before the first there is the skeleton.
    """
    view = state.current()
    job = runtime.model_job(view.model)
    text = _text(view, job.result)
    _text_form(text)
    model = result_of(job, "model")
    if model is not None and view.text is None and text is None:
        st.rerun()  # the task, and so the example, is known only now
    trace = None if model is None else result_of(runtime.trace_job(model, text or ""), "trace")
    if model is not None and trace is not None:
        _status_line(trace)
        with st.container(key="results"):
            draw(trace, view, True)
        st.session_state["shown"] = (view, text)
        return
    shown_view, shown_text = st.session_state.get("shown", (None, None))
    older = None if shown_view is None else runtime.finished_trace(shown_view.model, shown_text)
    if older is None:
        if job.error is None:  # nothing will come in place of a skeleton
            skeleton()
        return
    with st.container(key="results_waiting"):
        draw(older, shown_view, False)


def _text(view: state.View, model: "LoadedModel | None") -> str | None:
    """The visitor's text, or the first example on a first visit; None before there is one."""
    if view.text is not None:
        return view.text
    return next(iter(runtime.examples(view.model, model)), None)


def _text_form(text: str | None) -> None:
    """The text box. What is typed stays typed: it is replaced only by a link, an example or the back button."""
    # Streamlit forgets the box's content on another page.
    if st.session_state.get("text_from_link") != text or "text_box" not in st.session_state:
        st.session_state["text_from_link"] = st.session_state["text_box"] = text or ""

    def run() -> None:
        typed = st.session_state["text_box"]
        st.session_state["text_from_link"] = typed
        state.new_text(typed)

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


def _status_line(trace: "Trace") -> None:
    """How long the text is, how long it took, and how exactly this pass was reproduced."""
    facts = trace.model.facts
    limit = f" of {facts.max_tokens:,}" if facts.max_tokens else ""
    exact = "" if trace.output_error is None else f" · attention reproduces this pass to {trace.output_error:.0e}"
    st.caption(f"{len(trace.tokens):,}{limit} tokens · {duration(trace.seconds)}{exact}")
