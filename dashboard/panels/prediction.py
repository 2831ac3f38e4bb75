"""What the model says, beside what in the input it rests on."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from components import choice_bars, token_strip
from dashboard import runtime, state
from dashboard.panels.text import duration, label, number, quoted
from dashboard.panels.waiting import result_of

if TYPE_CHECKING:
    from dashboard.engine import Attribution, Choice, Prediction, Token, Trace

# Longer texts make one run a token expensive, so another method is the default there.
_LEAVE_ONE_OUT_TOKENS = 128

_KIND_BADGE = {"causal": "green", "decomposition": "violet", "descriptive": "gray"}

_CAPTION = {
    "next token": "What comes next, after the last token",
    "masked token": "What belongs in the blank",
    "sequence class": "Which class the text is in",
}


def prediction_row(trace: "Trace", view: state.View, live: bool) -> None:
    """The prediction on the left, why on the right.

    Args:
        trace: What is shown.
        view: How it is shown.
        live: False for an older trace that stays on screen while a new one is computed; then nothing is started.
    """
    left, right = st.columns([5, 8], gap="large")
    target = trace.choice(_target(trace, view))
    with left, st.container(key="panel_prediction"):
        _prediction(trace.prediction, target)
    with right, st.container(key="panel_why"):
        _why(trace, view, target, live)


def _target(trace: "Trace", view: state.View) -> int | None:
    """The choice that the link explains, unless this model has no such choice."""
    return view.target if view.target is not None and view.target < len(trace.logits) else None


def _prediction(prediction: "Prediction", target: "Choice") -> None:
    st.subheader(f"Prediction: {prediction.kind}" if prediction.kind != "no head" else "No prediction head")
    if target.probability is None:
        st.markdown(prediction.note)
        st.metric("Length of the sentence embedding", number(target.logit), width="content")
        return
    shown = list(prediction.choices)
    if target.id not in [choice.id for choice in shown]:
        shown.append(target)
    index = [choice.id for choice in shown].index(target.id)
    payload = choice_bars.build(
        [choice_bars.Choice(label(c.label), c.probability or 0.0, c.logit) for c in shown], selected=index
    )

    def choose() -> None:
        chosen = choice_bars.read_event("choices")
        if chosen is not None:
            state.update(target=shown[chosen].id)

    choice_bars.choice_bars(payload, key="choices", on_select=choose)
    st.caption(f"{_CAPTION[prediction.kind]}. Click a choice to explain it.")


def _default_method(trace: "Trace") -> tuple[str, str]:
    """The method to start with, and why."""
    if len(trace.tokens) <= _LEAVE_ONE_OUT_TOKENS:
        return "leave_one_out", ""
    return "gradient_norm", (
        f"Chosen because the text has more than {_LEAVE_ONE_OUT_TOKENS} tokens: leave-one-out needs one run for each."
    )


def _why(trace: "Trace", view: state.View, target: "Choice", live: bool) -> None:
    methods = runtime.methods()
    default, reason = _default_method(trace)
    name = view.method if view.method and view.method in methods else default
    method = methods[name]
    title, choice, info = st.columns([6, 5, 1], vertical_alignment="bottom")
    title.subheader("What it rests on" if target.probability is None else f"Why {quoted(target.label)}?")
    choice.selectbox(
        "Method",
        list(methods),
        format_func=lambda key: methods[key].title,
        label_visibility="collapsed",
        **state.bind("method", name),
    )
    with info.popover("", icon=":material/help:", width="stretch"):
        st.markdown(f"**{method.title}** — {method.meaning}")
        st.latex(method.formula)
        st.markdown(
            f"{method.caveat}  \nSource: {method.source}.  \n"
            f"Cost for this text: {method.cost(trace, {}).passes:,.0f} forward passes' worth."
        )
    st.markdown(f":{_KIND_BADGE[method.kind]}-badge[{method.kind}] :small[{method.meaning} {reason}]")
    if live:
        found = result_of(runtime.attribution_job(trace, name, target.id), "why")
    else:
        found = runtime.finished_attribution(trace, name, target.id)
    if found is None:
        st.html('<div class="skeleton" style="height: 7rem"></div>')
        return
    _scores(trace, found, view)
    st.caption(f"{method.caveat} Took {duration(found.seconds)}.")


def _scores(trace: "Trace", found: "Attribution", view: state.View) -> None:
    if view.unit == "words":
        units, scores = runtime.words(trace), found.per_word(trace.tokens)
    else:
        units, scores = trace.tokens, found.scores
    maximum = float(np.abs(scores).max()) or 1.0
    strip = slice(0, token_strip.MAX_TOKENS)
    signed = runtime.methods()[found.method].signed
    if view.form == "strip":
        payload = token_strip.build(
            [label(unit) for unit in units[strip]],
            scores[strip],
            scale="diverging" if signed else "sequential",
            maximum=maximum,
            palette=view.palette,
            marked=_marked(trace, units),
            value_name=f"change in {found.unit}" if found.method == "leave_one_out" else found.unit,
            show_numbers=True,
        )
        token_strip.token_strip(payload, key="why_strip")
        if len(units) > token_strip.MAX_TOKENS:
            st.caption(f"The strip shows the first {token_strip.MAX_TOKENS:,} of {len(units):,}; the table shows all.")
    table = _table(units, scores, found.unit)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control("Unit", ["tokens", "words"], label_visibility="collapsed", **state.bind("unit"))
        st.segmented_control("Show as", ["strip", "table"], label_visibility="collapsed", **state.bind("form"))
        st.download_button("CSV", table.to_csv(index=False), "attribution.csv", "text/csv", icon=":material/download:")
    if view.form == "table":
        st.dataframe(table, hide_index=True, height=min(35 * (len(table) + 1) + 3, 320), key="why_table")


def _marked(trace: "Trace", units: tuple["Token", ...]) -> list[int]:
    """Where the prediction is made, among tokens or among words."""
    position = trace.prediction.position
    if position is None:
        return []
    unit = position if len(units) == len(trace.tokens) else trace.tokens[position].word
    return [unit] if unit < token_strip.MAX_TOKENS else []


def _table(units: tuple["Token", ...], scores: np.ndarray, unit: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "position": np.arange(len(units)),
            "text": [unit_.text for unit_ in units],
            "first character": [unit_.start for unit_ in units],
            f"score ({unit})": scores,
        }
    )
