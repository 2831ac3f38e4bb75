"""What the visitors of the app may open, from the settings and Streamlit's secrets."""

import streamlit as st

from dashboard.engine import store
from dashboard.engine.access import Access, for_visitors

_TOKEN = "HF_TOKEN"


def access() -> Access:
    """The cache and the folders given at the start; the token of the secrets, where there is one.

    Raises:
        InvalidInput: A setting cannot be understood.
    """
    return for_visitors(store.cache_dir(), _token())


def _token() -> str | None:
    """The environment's own token needs no handing on: the Hub's client reads it."""
    if not st.secrets.load_if_toml_exists():
        return None
    said = st.secrets.get(_TOKEN)
    return said if isinstance(said, str) and said else None
