"""Attributions as jobs: what is asked for, what it will cost, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.engine.progress import Progress
from dashboard.runtime.jobs import Job
from dashboard.runtime.shelves import finished, known_job, result_job

if TYPE_CHECKING:
    from dashboard.engine import Attribution, Choice, Token, Trace
    from dashboard.engine.attribution.method import Method
    from dashboard.links import Unit

_MOST_CLASSES, _MOST_FOUND = 2_000, 5


@dataclass(frozen=True)
class Asked:
    """One attribution that somebody wants.

    Attributes:
        method: Its name.
        target: The choice to explain.
        against: The choice to explain it against.
        options: What was chosen for the method's options, by name.
    """

    method: str
    target: int
    against: int | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        return (self.method, self.target, self.against, self.options)


@dataclass(frozen=True)
class Estimate:
    """What a run will take; `measured` when something like it has run on this model before."""

    passes: float
    bytes: int
    seconds: float
    measured: bool


def methods() -> "Mapping[str, Method]":
    """The attribution methods; ask only once a model is there, because their module needs torch."""
    from dashboard.engine import METHODS

    return METHODS


def usable(trace: "Trace") -> list[str]:
    """The methods that nothing speaks against on this model, in the registry's order."""
    return [name for name, method in methods().items() if not method.refuses(trace)]


def quick_method(trace: "Trace") -> str:
    """The method to start with on a long input."""
    from dashboard.engine.attribution.attribute import quick_method

    return quick_method(trace)


@st.cache_resource(show_spinner=False)
def _speeds() -> dict[tuple[int, str], float]:
    """Seconds for one pass over one token, as last measured, by model and method."""
    return {}


def estimate(trace: "Trace", asked: Asked) -> Estimate:
    """What an attribution will take, from the last measurement: of its method, or else of the trace's own pass."""
    from dashboard.engine.attribution.attribute import chosen_options

    cost = methods()[asked.method].cost(trace, chosen_options(trace, asked.method, dict(asked.options)))
    speed = _speeds().get((trace.model.serial, asked.method))
    if speed is None:
        return _estimate_runs(trace, cost.passes, cost.bytes)
    return Estimate(cost.passes, cost.bytes, cost.passes * speed * len(trace.tokens), True)


def estimate_runs(trace: "Trace", passes: float) -> Estimate:
    """What that many forward passes on texts as long as this one will take."""
    from dashboard.engine.attribution.method import forward_passes

    return _estimate_runs(trace, passes, forward_passes(trace, passes).bytes)


def _estimate_runs(trace: "Trace", passes: float, n_bytes: int) -> Estimate:
    """From what was measured last on this model, or else from the trace's own pass."""
    measured = [speed for (serial, _), speed in _speeds().items() if serial == trace.model.serial]
    per_pass = measured[-1] * len(trace.tokens) if measured else trace.seconds
    return Estimate(passes, n_bytes, passes * per_pass, bool(measured))


def together(costs: Sequence[Estimate]) -> Estimate:
    """One after the other."""
    return Estimate(
        sum(cost.passes for cost in costs),
        max(cost.bytes for cost in costs),
        sum(cost.seconds for cost in costs),
        all(cost.measured for cost in costs),
    )


def attribution_job(trace: "Trace", asked: Asked) -> "Job[Attribution]":
    """Attributes one choice to the tokens of a trace."""
    speeds = _speeds()

    def work(report: Progress) -> "Attribution":
        from dashboard.engine import attribute

        options = dict(asked.options)
        found = attribute(trace, asked.method, asked.target, against=asked.against, options=options, progress=report)
        speeds.pop((trace.model.serial, asked.method), None)  # the last measurement stands last
        speeds[trace.model.serial, asked.method] = found.seconds / max(found.passes, 1) / len(trace.tokens)
        return found

    return result_job("attribution", (*trace.key, *asked.key), work)


def known_attribution(trace: "Trace", asked: Asked) -> "Job[Attribution] | None":
    """The job of an attribution if there is one; starts nothing."""
    return known_job("attribution", (*trace.key, *asked.key))


def finished_attribution(trace: "Trace", asked: Asked) -> "Attribution | None":
    """The attribution if it is here already; starts nothing."""
    found: Attribution | None = finished("attribution", (*trace.key, *asked.key))
    return found


def choices_named(trace: "Trace", text: str) -> "list[Choice]":
    """The choices written like that: in a vocabulary with and without a space before it, among classes by their names.

    The most probable first.
    """
    tokenizer, wanted = trace.model.tokenizer, text.strip()
    if trace.prediction.kind in ("next token", "masked token", "target token"):
        from dashboard.engine.inputs.offsets import read_text

        writes = trace.model.task.writes
        spelled = [
            read_text(tokenizer, form, target=writes, add_special_tokens=False)["input_ids"]
            for form in (wanted, f" {wanted}")
        ]
        ids = dict.fromkeys(form[0] for form in spelled if len(form) == 1)
        found = [trace.choice(index) for index in ids if index < len(trace.logits)]
    else:
        every = (trace.choice(index) for index in range(min(len(trace.logits), _MOST_CLASSES)))
        found = [choice for choice in every if wanted.casefold() in choice.label.text.casefold()][:_MOST_FOUND]
    return sorted(found, key=lambda choice: -choice.logit)


@dataclass(frozen=True)
class Units:
    """What scores are shown for: tokens, words or sentences; and the unit that each token belongs to."""

    labels: "tuple[Token, ...]"
    unit_of: tuple[int, ...]


def units(trace: "Trace", unit: "Unit") -> Units:
    """The trace's text in tokens, words or sentences; an image in its patches, whatever is asked for."""
    from dashboard.engine.inputs import tokens as text

    if trace.picture is not None:
        unit = "tokens"
    if unit == "words":
        return Units(text.join_words(trace.tokens, trace.text), tuple(token.word for token in trace.tokens))
    if unit == "sentences":
        from dashboard.engine.inputs.sentences import join_sentences, sentence_of

        return Units(join_sentences(trace.tokens, trace.text), sentence_of(trace.tokens, trace.text))
    return Units(trace.tokens, tuple(range(len(trace.tokens))))
