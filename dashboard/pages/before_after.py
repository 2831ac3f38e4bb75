"""Before and after: two models of one shape on the same input, such as a model and what it was fine-tuned from."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import runtime, state
from dashboard.engine.catalog import MODELS
from dashboard.panels.before_after import (
    attributions_side_by_side,
    head_before_after,
    heads_that_moved,
    predictions,
)
from dashboard.panels.input import given_of, with_trace
from dashboard.panels.sites import site_switch
from dashboard.panels.waiting import errors_shown, result_of

if TYPE_CHECKING:
    from dashboard.engine import Trace


@st.fragment
def results(after: "Trace", view: state.View, live: bool) -> None:
    """Everything below the text box."""
    view = state.current() if live else view
    _other_box(view)
    if not view.other:
        st.info(
            "Choose the model to compare with: the one that this model was fine-tuned from.", icon=":material/compare:"
        )
        return
    job = runtime.model_job(view.other, view.device, view.dtype, beside="other")
    model = result_of(job, "other_model")
    if model is None:
        return
    given = given_of(model, view, str(after.encoded.given) if isinstance(after.encoded.given, str) else "")
    before = None if given is None else result_of(runtime.trace_job(model, given, beside="other"), "other_trace")
    if before is None:
        return
    predictions(before, after)
    st.divider()
    attributions_side_by_side(before, after, view, live)
    st.divider()
    site_switch(after, view)
    with errors_shown():
        selected = heads_that_moved(before, after, view)
        if selected is not None:
            head_before_after(before, after, view, selected)


def _other_box(view: state.View) -> None:
    options = [name for name in MODELS if name != view.model]
    if view.other and view.other not in options:
        options.append(view.other)
    st.selectbox(
        "Before: the model to compare with",
        options,
        index=None,
        format_func=lambda name: MODELS[name].title if name in MODELS else name,
        accept_new_options=True,
        placeholder="Choose a model, or type a Hub id or a path",
        **state.bind("other", view.other, layer=None, head=None),
    )


def skeleton() -> None:
    """The page's shape before there is anything to show."""
    for column in st.columns(2, gap="large"):
        column.html('<div class="skeleton" style="height: 17rem"></div>')
    st.html('<div class="skeleton" style="height: 24rem"></div>')


with_trace(results, skeleton)
