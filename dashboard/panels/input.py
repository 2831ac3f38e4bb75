"""The text box, and the trace that every page shows: computing, failed, older or new."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import runtime, state
from dashboard.panels.continuation import MOST_TOKENS
from dashboard.panels.text import duration
from dashboard.panels.waiting import result_of

if TYPE_CHECKING:
    from dashboard.engine import LoadedModel, Trace

# Models that say something at one token of the text, chosen by click.
_AT_A_TOKEN = ("token class", "masked token")

Draw = Callable[["Trace", state.View, bool], None]
"""Draws a page's results: the trace, how it is looked at, and whether it is the one that the link asks for."""


def with_trace(draw: Draw, skeleton: Callable[[], None]) -> None:
    """The text box and, below it, what `draw` makes of the link's model and text.

    While a new trace is computed, or cannot be, the last one stays, dimmed; before the first there is the skeleton.
    """
    view = state.current()
    job = runtime.model_job(view.model)
    text = _text(view, job.result)
    known = job.result is not None
    _text_form(view, text, job.result)
    model = result_of(job, "model")
    if model is not None and not known:
        st.rerun()  # whether it reads pairs is known only now
    if model is not None and view.text is None and text is None:
        if pairs := runtime.example_pairs(view.model, model):
            state.new_text(*pairs[0])
        st.rerun()  # the task, and so the example, is known only now
    written: runtime.Text = (text or "", view.pair) if view.pair and _takes_pairs(model) else text or ""
    continued = None if model is None else _continued(model, view, written)
    given = runtime.Given(written, continued or (), view.at if model and model.task.kind in _AT_A_TOKEN else None)
    trace = None
    if model is not None and continued is not None:
        trace = result_of(runtime.trace_job(model, given), "trace")
    if trace is not None:
        _status_line(trace)
        with st.container(key="results"):
            draw(trace, view, True)
        st.session_state["shown"] = (view, given)
        return
    shown_view, shown = st.session_state.get("shown", (None, None))
    older = None if shown_view is None else runtime.finished_trace(shown_view.model, shown)
    if older is None:
        if job.error is None:  # nothing will come in place of a skeleton
            skeleton()
        return
    with st.container(key="results_waiting"):
        draw(older, shown_view, False)


def _takes_pairs(model: "LoadedModel | None") -> bool:
    return model is not None and model.task.kind != "next token"


def _continued(model: "LoadedModel", view: state.View, given: runtime.Text) -> tuple[int, ...] | None:
    """What the model said before the token that is explained; None while that is not known."""
    if not (view.step and view.generate and isinstance(given, str) and model.task.kind == "next token"):
        return ()
    said = result_of(runtime.generation_job(model, given, min(view.generate, MOST_TOKENS)), "generation")
    return None if said is None else said.ids[: min(view.step, len(said.ids) - 1)]


def _text(view: state.View, model: "LoadedModel | None") -> str | None:
    """The visitor's text, or the first example on a first visit; None before there is one."""
    if view.text is not None:
        return view.text
    return next(iter(runtime.examples(view.model, model)), None)


def _text_form(view: state.View, text: str | None, model: "LoadedModel | None") -> None:
    """The text box, or two for a pair. What is typed stays typed until a link, an example or the back button."""
    shown = {"text_box": text or "", "pair_box": view.pair or ""}
    # Streamlit forgets a box's content on another page.
    if st.session_state.get("text_from_link") != shown or not shown.keys() <= st.session_state.keys():
        st.session_state.update(shown, text_from_link=shown)
    two = view.pair is not None and _takes_pairs(model)

    def run() -> None:
        typed, other = st.session_state["text_box"], st.session_state["pair_box"] if two else view.pair
        st.session_state["text_from_link"] = {"text_box": typed, "pair_box": other or ""}
        state.new_text(typed, other)

    with st.form("text", border=False, enter_to_submit=True):
        box, button = st.columns([8, 1], vertical_alignment="bottom")
        box.text_area(
            "Text",
            key="text_box",
            height=80,
            label_visibility="collapsed",
            placeholder="Type a text, or choose an example on the left",
        )
        if two:
            box.text_area(
                "Second text",
                key="pair_box",
                height=80,
                label_visibility="collapsed",
                placeholder="The second text of the pair",
            )
        button.form_submit_button("Run", on_click=run, type="primary", width="stretch", help="Ctrl+Enter in the text")
    if two:
        st.button("One text", key="one_text", type="tertiary", on_click=_keep_typed, args=(None,))
    elif view.pair and model is not None:
        st.caption("This model reads one text: the second is kept, but not used.")
    elif _takes_pairs(model):
        st.button(
            "Add a second text",
            key="two_texts",
            type="tertiary",
            icon=":material/add:",
            help="For models that read two texts together, such as question and answer or two sentences to compare.",
            on_click=_keep_typed,
            args=("",),
        )


def _keep_typed(pair: str | None) -> None:
    """Opens or closes the second box with what stands in the first."""
    state.new_text(st.session_state["text_box"], pair)


def _status_line(trace: "Trace") -> None:
    """How long the text is, how long it took, and how exactly this pass was reproduced."""
    facts = trace.model.facts
    limit = f" of {facts.max_tokens:,}" if facts.max_tokens else ""
    exact = "" if trace.output_error is None else f" · attention reproduces this pass to {trace.output_error:.0e}"
    st.caption(f"{len(trace.tokens):,}{limit} tokens · {duration(trace.seconds)}{exact}")
