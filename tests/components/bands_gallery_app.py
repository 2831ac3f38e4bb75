"""A chat as a strip with its roles, one with hostile names, and one without bands; for test_bands.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from chats import BANDS, CHAT, VALUES

from components.token_strip import token_strip
from components.tokens import TokenLabel

st.set_page_config(layout="wide")
state = st.session_state
events: list[str] = state.setdefault("events", [])


def on_select() -> None:
    """Keeps the token."""
    state.token = token_strip.read_event("chat")
    events.append(f"token {state.token}")


st.text("events: " + ", ".join(events))
payload = token_strip.build(
    CHAT, VALUES, value_name="gradient", bands=BANDS, selected=state.get("token"), max_height=900
)
token_strip.token_strip(payload, key="chat", on_select=on_select)
st.divider()
words = [TokenLabel(f"word{index}", space=True) for index in range(9)]
hostile = [(1, 3, "<b>role</b>"), (3, 4, "a role with a very long name"), (6, 8, "<b>role</b>"), (8, 9, "system")]
token_strip.token_strip(token_strip.build(words, None, bands=hostile), key="hostile")
st.divider()
token_strip.token_strip(token_strip.build(CHAT, np.zeros(len(CHAT))), key="plain")
