"""How a fragment, which is drawn again without its page, is to be drawn now."""

import streamlit as st

from dashboard import state
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
