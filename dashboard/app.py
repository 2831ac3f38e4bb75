"""Streamlit entry point: the pages, and the sidebar that they share."""

import sys
from pathlib import Path

# `streamlit run dashboard/app.py` puts only this folder on the path.
ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from dashboard import state  # noqa: E402
from dashboard.panels.sidebar.sidebar import sidebar  # noqa: E402

HERE = Path(__file__).parent
# Files of our own: a named icon would be fetched from the network.
st.set_page_config(page_title="Attention dashboard", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")
st.html(HERE / "style.css")

# No address is the name of its file: until a first visitor has come through here, Streamlit takes a link to such an
# address for the file itself and runs it without its surroundings.
page = st.navigation(
    [
        st.Page("pages/explore.py", title="Explore", icon=":material/search:", default=True),
        st.Page("pages/all_heads.py", title="Heads", icon=":material/apps:", url_path="heads"),
        st.Page(
            "pages/token_attribution.py",
            title="Attribution",
            icon=":material/format_ink_highlighter:",
            url_path="attribution",
        ),
        st.Page("pages/before_after.py", title="Before and after", icon=":material/compare:", url_path="before-after"),
        st.Page("pages/finetune.py", title="Fine-tune", icon=":material/model_training:", url_path="fine-tune"),
        st.Page("pages/line_drawings.py", title="BertViz", icon=":material/conversion_path:", url_path="bertviz"),
        st.Page(
            "pages/how_to_read.py",
            title="How to read this",
            icon=":material/menu_book:",
            url_path="how-to-read",
        ),
    ]
)
state.remember_across_pages(page.title)
fill_in = sidebar()
page.run()
fill_in()
