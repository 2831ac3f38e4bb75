"""Pages in Streamlit's own test harness, with everything that the runtime gives them pickled."""

from pickled_runtime import install

install()  # before any page is imported
