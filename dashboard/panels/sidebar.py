"""The sidebar: which model, what it is, how exactly it is shown, and examples to try."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import runtime, state
from dashboard.engine.catalog import MODELS
from dashboard.panels.text import bytes_text, plain

if TYPE_CHECKING:
    from dashboard.engine import LoadedModel


def sidebar() -> Callable[[], None]:
    """Draws the sidebar without waiting for anything; what it returns fills in the model's facts, after the page."""
    view = state.current()
    with st.sidebar:
        options = [*MODELS, *([] if view.model in MODELS else [view.model])]
        st.selectbox(
            "Model",
            options,
            format_func=lambda name: MODELS[name].title if name in MODELS else name,
            accept_new_options=True,
            help="Choose one, or type a Hub id (org/name) or the path of a folder with safetensors weights.",
            **state.bind(
                "model", layer=None, head=None, target=None, against=None, pin=None, zoom=None, step=None, at=None
            ),
        )
        if view.model in MODELS:
            st.caption(MODELS[view.model].description)
        place = st.empty()
        place.caption("Loading …")
    return lambda: _after(view, place)


def _after(view: state.View, place: DeltaGenerator) -> None:
    job = runtime.model_job(view.model)
    with place.container():
        if job.result is not None:
            _facts(job.result)
        else:
            st.caption("Not loaded." if job.done else "Loading …")
    with st.sidebar:
        singles = [(text, None) for text in runtime.examples(view.model, job.result)]
        _examples([*singles, *runtime.example_pairs(view.model, job.result)])
        if not state.fits_link(view):
            st.caption("This text is too long for a link: the address shows it only in this window.")


def _facts(model: "LoadedModel") -> None:
    facts, proof = model.facts, model.verification
    kv = f" ({facts.n_kv_heads} kv)" if facts.n_kv_heads != facts.n_heads else ""
    st.caption(
        f"{plain(facts.architecture)} · {facts.n_parameters / 1e6:,.0f} M parameters  \n"
        f"{facts.n_layers} layers × {facts.n_heads} heads{kv}  \n"
        f"{facts.dtype} · {facts.device} · {bytes_text(runtime.memory_in_use(model))} in use"
    )
    if proof.method == "capture":
        st.badge(f"equals eager to {proof.max_difference:.0e}", icon=":material/check:", color="green")
        about = (
            f"Rebuilt from queries and keys; compared with the model's own attention on {proof.n_tokens} tokens, all "
            "layers and heads."
        )
    else:
        st.badge("read from eager attention", icon=":material/check:", color="orange")
        about = "Its queries and keys cannot be captured: the model's own weights are read, up to a token limit."
    st.caption(about)


def _examples(texts: Sequence[tuple[str, str | None]]) -> None:
    if not texts:
        return
    with st.expander("Examples", expanded=True, icon=":material/lightbulb:"):
        for text, pair in texts:
            shown = text if pair is None else f"{text} / {pair}"
            st.button(
                plain(shown if len(shown) <= 60 else shown[:59] + "…"),
                key=f"example_{shown}",
                type="tertiary",
                on_click=state.new_text,
                args=(text, pair),
            )
