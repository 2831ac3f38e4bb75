"""Drawing again what left memory: others may take the place of a model or a trace at any moment."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard import state
from dashboard.engine.errors import NotInMemory
from dashboard.engine.tracing.summary import TraceSummary
from dashboard.runtime import traces


def view_of(trace: TraceSummary, view: state.View, live: bool) -> state.View:
    """How a fragment is to be drawn now; runs the whole page again where the trace has left memory meanwhile.

    Args:
        trace: What it shows.
        view: How it was drawn with the page.
        live: True to follow the link; false for an older trace that stays on screen meanwhile.
    """
    if not traces.is_here(trace.key):
        st.rerun()
    return state.current() if live else view


@contextmanager
def page_again_if_gone() -> Iterator[None]:
    """Runs the whole page again where a model or a trace left memory within the block: it asks for them anew."""
    try:
        yield
    except NotInMemory:
        st.rerun()
