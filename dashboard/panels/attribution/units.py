"""The units that scores are shown by (tokens, words or sentences), and where among them the prediction is made."""

import streamlit as st

from components.token_strip import token_strip
from dashboard import state
from dashboard.engine.tracing.summary import TraceSummary, Units


def unit_switch(*, labelled: bool = False) -> None:
    """Tokens, words or sentences: sums over the tokens of each."""
    st.segmented_control(
        "Unit",
        ["tokens", "words", "sentences"],
        label_visibility="visible" if labelled else "collapsed",
        **state.bind("unit"),
    )


def marked(trace: TraceSummary, units: Units) -> list[int]:
    """Where the prediction is made, among the units."""
    position = trace.prediction.position
    if position is None:
        return []
    unit = units.unit_of[position]
    return [unit] if unit < token_strip.MAX_TOKENS else []
