"""Streamlit entry point: the pages, and the sidebar that they share."""

import sys
from pathlib import Path

# `streamlit run dashboard/app.py` puts only this folder on the path.
ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from dashboard import state  # noqa: E402
from dashboard.navigation import pages  # noqa: E402
from dashboard.panels.sidebar.sidebar import sidebar  # noqa: E402
from dashboard.runtime import traces  # noqa: E402

HERE = Path(__file__).parent
# Files of our own: a named icon would be fetched from the network.
st.set_page_config(page_title="Attention dashboard", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")
st.html(HERE / "style.css")

page = st.navigation(
    [
        st.Page(one.file, title=one.title, icon=one.icon, url_path=one.address or None, default=not one.address)
        for one in pages()
    ]
)
if st.session_state.get("page") != page.title:
    traces.unpin()
state.remember_across_pages(page.title)
fill_in = sidebar()
page.run()
fill_in()
