"""What the model is run on, and the trace that every page shows: computing, failed, older or new."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import runtime, state
from dashboard.engine.errors import InvalidInput
from dashboard.panels.common.job_status import result_of, show_error
from dashboard.panels.inputs.chat_form import chat_form
from dashboard.panels.inputs.input_boxes import chats, image_box, reads_images, takes_pairs, text_form, writes
from dashboard.panels.inputs.status_line import status_line
from dashboard.panels.prediction.continuation import MOST_TOKENS
from dashboard.runtime import images
from dashboard.runtime.examples import examples

if TYPE_CHECKING:
    from dashboard.engine import LoadedModel, Trace

# Models that say something at one token of the text, chosen by click.
_AT_A_TOKEN = ("token class", "masked token", "target token")

Draw = Callable[["Trace", state.View, bool], None]
"""Draws a page's results: the trace, how it is looked at, and whether it is the one that the link asks for."""


def with_trace(draw: Draw, skeleton: Callable[[], None]) -> None:
    """The text box and, below it, what `draw` makes of the link's model and text.

    While a new trace is computed, or cannot be, the last one stays, dimmed; before the first there is the skeleton.
    """
    view = state.current()
    job = runtime.model_job(view.model, view.device, view.dtype)
    text = _text(view, job.result)
    known = job.result is not None
    if reads_images(job.result):
        image_box(view)
    elif chats(job.result) and state.messages(view):
        chat_form(view)
    else:
        text_form(view, text, job.result)
    model = result_of(job, "model")
    if model is not None and not known:
        st.rerun()  # what it reads is known only now
    if model is not None and view.text is None and text is None and not reads_images(model):
        shown = examples(view.model, model)
        if shown and (pair := shown[0]).pair is not None:
            state.new_text(pair.text, pair.pair)
        if shown:
            st.rerun()  # the task, and so the example, is known only now
    given = None if model is None else given_of(model, view, text or "")
    trace = None
    if model is not None and given is not None:
        trace = result_of(runtime.trace_job(model, given), "trace")
    if trace is not None:
        status_line(trace)
        with st.container(key="results"):
            draw(trace, view, True)
        st.session_state["shown"] = (view, given)
        return
    shown_view, shown = st.session_state.get("shown", (None, None))
    older = None
    if shown_view is not None:
        older = runtime.finished_trace(shown_view.model, shown, shown_view.device, shown_view.dtype)
    if older is None:
        if job.error is None:  # nothing will come in place of a skeleton
            skeleton()
        return
    with st.container(key="results_waiting"):
        draw(older, shown_view, False)


def given_of(model: "LoadedModel", view: state.View, text: str) -> runtime.Given | None:
    """What the link asks this model to be run on; None while a part of it is not known."""
    if reads_images(model):
        name = view.image or images.examples(view.model)[0]
        return runtime.Given(image=name) if _is_here(name) else None
    at = view.at if model.task.kind in _AT_A_TOKEN else None
    if writes(model):
        target = view.written or _written(model, view, text)
        return None if target is None else runtime.Given(text, target=target, at=at)
    given: runtime.Text = (text, view.pair) if view.pair and takes_pairs(model) else text
    said = state.messages(view) if chats(model) else ()
    if said:
        spoken = tuple(message for message in said if message.content.strip())
        if not spoken:
            st.caption("Type what the first message says.")
            return None
        given = spoken
    continued = _continued(model, view, given)
    return None if continued is None else runtime.Given(given, continued, at)


def _is_here(name: str) -> bool:
    """Whether the link's image can be shown; says what to do where it cannot. It may come again under that name."""
    try:
        images.thumbnail(name)
    except InvalidInput as error:
        show_error(error)
        return False
    return True


def _written(model: "LoadedModel", view: state.View, text: str) -> tuple[int, ...] | None:
    """What the model writes by itself; None while that is not known."""
    said = result_of(runtime.target_job(model, text, view.beams or 1), "generation")
    return None if said is None else said.ids


def _continued(model: "LoadedModel", view: state.View, given: runtime.Text) -> tuple[int, ...] | None:
    """What the model said before the token that is explained; None while that is not known."""
    if not (view.step and view.generate and model.task.kind == "next token"):
        return ()
    said = result_of(runtime.generation_job(model, given, min(view.generate, MOST_TOKENS)), "generation")
    return None if said is None else said.ids[: min(view.step, len(said.ids) - 1)]


def _text(view: state.View, model: "LoadedModel | None") -> str | None:
    """The visitor's text, or the first example on a first visit; None before there is one."""
    if view.text is not None:
        return view.text
    return next((one.text for one in examples(view.model, model) if one.pair is None), None)
