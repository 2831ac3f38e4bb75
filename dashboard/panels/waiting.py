"""What is on screen while a job runs, and when it failed."""

from typing import TypeVar

import streamlit as st

from dashboard.panels.text import plain
from dashboard.runtime import Job

T = TypeVar("T")

# Shorter jobs never flash a progress bar.
PATIENCE_SECONDS = 0.4


def result_of(job: Job[T], key: str, *, narrow: bool = False) -> T | None:
    """The job's result; while there is none, draws its progress, or its error with a way to try again.

    Args:
        job: The work.
        key: A name for its widgets.
        narrow: Put the button below the bar.
    """
    if not job.wait(PATIENCE_SECONDS):
        with st.container(key=f"{key}_progress"):
            _progress(job, key, narrow)
        return None
    if job.error is not None:
        with st.container(key=f"{key}_error"):
            st.error(f"**{plain(job.error.cause)}**  \n{plain(job.error.remedy)}", icon=":material/error:")
            if job.error.may_pass:
                st.button("Try again", key=f"{key}_retry", on_click=job.retry)
        return None
    if job.cancelled:
        st.info("Cancelled.", icon=":material/cancel:")
        st.button("Start again", key=f"{key}_restart", on_click=job.retry)
        return None
    return job.result


@st.fragment(run_every=0.3)
def _progress(job: Job[T], key: str, narrow: bool) -> None:
    if job.done:
        st.rerun()
    bar, button = (st, st) if narrow else st.columns([6, 1], vertical_alignment="center")
    # A bar of unknown length stays short and says what goes on.
    bar.progress(min(max(job.fraction or 0.0, 0.0), 1.0), text=plain(f"{job.message} …"))
    button.button("Cancel", key=f"{key}_cancel", on_click=job.cancel, width="stretch")
