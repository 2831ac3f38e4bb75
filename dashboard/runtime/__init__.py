"""The only package that knows both Streamlit and the engine: models, traces and results as jobs.

The engine is imported inside the work, so the page is on screen before torch is.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.engine.inputs.messages import Message
from dashboard.engine.progress import Progress
from dashboard.runtime import access as visitors
from dashboard.runtime import images
from dashboard.runtime.jobs import Job
from dashboard.runtime.shelves import finished, model_shelf, result_job, wait_for, waited_for

if TYPE_CHECKING:
    from dashboard.engine import Generation, HeatMap, LoadedModel, Similarity, Token, Trace
    from dashboard.engine.attention.views import Pooling
    from dashboard.engine.head_analysis.query_key import QueryKey
    from dashboard.engine.head_scores.score import HeadScore


Text = str | tuple[str, str] | tuple[Message, ...]
"""One text, a pair, or what was said in a chat."""


def model_job(
    source: str, device: str | None = None, dtype: str | None = None, *, beside: str = ""
) -> "Job[LoadedModel]":
    """Loads a model, downloading it where it is not here yet.

    A session waits for one model at a time, and leaves the load that it waited for before.

    Args:
        source: A catalogue name, a Hub id, a path.
        device: Where to; None leaves it to the server's settings and the machine.
        dtype: In which number format; None likewise.
        beside: See `shelves.result_job`.
    """

    def work(report: Progress) -> "LoadedModel":
        report("Starting the engine", None)
        from dashboard.engine import load_model

        return load_model(source, device=device, dtype=dtype, progress=report, access=visitors.access())

    key = (source, device, dtype)
    job = model_shelf().get(key, work)
    if job.error is not None and waited_for("model", beside) is not job:
        job.retry()  # who opens it anew may have mended what was wrong
        job = model_shelf().get(key, work)
    return wait_for("model", job, beside)


@dataclass(frozen=True)
class Given:
    """What a model is run on.

    Attributes:
        text: One text, a pair, or what was said in a chat.
        continued: What a decoder said after it.
        at: Which token's label is explained, which blank, or which token of the target.
        target: What an encoder–decoder is made to write: a text, or what it wrote.
        image: The name of an image, instead of a text.
    """

    text: Text = ""
    continued: tuple[int, ...] = ()
    at: int | None = None
    target: str | tuple[int, ...] | None = None
    image: str | None = None


def trace_job(model: "LoadedModel", given: Given, *, beside: str = "") -> "Job[Trace]":
    """Runs a model on a text, on what it said after it, or on an image."""

    def work(report: Progress) -> "Trace":
        from dashboard.engine import trace

        shown = given.text if given.image is None else images.find(given.image)
        return trace(model, shown, report, continued=given.continued, at=given.at, target=given.target)

    return result_job("trace", (model.serial, given), work, beside=beside)


def finished_trace(source: str, given: Given, device: str | None = None, dtype: str | None = None) -> "Trace | None":
    """The trace of that text if it is here already; starts nothing."""
    model = model_shelf().peek((source, device, dtype))
    if model is None or model.result is None:
        return None
    found: Trace | None = finished("trace", (model.result.serial, given))
    return found


def target_job(model: "LoadedModel", text: Text, n_beams: int) -> "Job[Generation]":
    """What a model writes from a source, with so many beams."""

    def work(report: Progress) -> "Generation":
        from dashboard.engine import generate
        from dashboard.engine.tracing.generation import LONGEST_TARGET

        return generate(model, text, LONGEST_TARGET, report, n_beams=n_beams)

    return result_job("generation", (model.serial, text, "target", n_beams), work)


def generation_job(model: "LoadedModel", text: Text, n_tokens: int) -> "Job[Generation]":
    """What the model says after a text, token by token."""

    def work(report: Progress) -> "Generation":
        from dashboard.engine import generate

        return generate(model, text, n_tokens, report)

    return result_job("generation", (model.serial, text, n_tokens), work)


def scores_job(trace: "Trace", site: str) -> "Job[dict[str, Any]]":
    """All head scores of a site, in one pass."""
    key = (*trace.key, site)
    return result_job("scores", key, lambda report: trace.all_head_scores(site=site, progress=report))


def finished_scores(trace: "Trace", site: str) -> dict[str, Any] | None:
    """All head scores if they are here already; starts nothing."""
    found: dict[str, Any] | None = finished("scores", (*trace.key, site))
    return found


def head_scores() -> "Mapping[str, HeadScore]":
    """The head scores; ask only once a model is there, because their module needs torch."""
    from dashboard.engine import HEAD_SCORES

    return HEAD_SCORES


def words(tokens: "Sequence[Token]", text: str) -> "tuple[Token, ...]":
    """The words that tokens of a text make."""
    from dashboard.engine.inputs.tokens import join_words

    return join_words(tokens, text)


def word_span(tokens: "Sequence[Token]", word: int) -> tuple[int, int]:
    """First token of a word and one past its last."""
    from dashboard.engine.inputs.tokens import word_spans

    return word_spans(tokens)[word]


def memory_in_use(model: "LoadedModel") -> int:
    """Bytes that this process holds on the model's device."""
    from dashboard.engine.hardware.devices import memory_in_use

    return memory_in_use(model.device)


def similarity_job(trace: "Trace", site: str) -> "Job[Similarity]":
    """How alike any two heads of a site are."""

    def work(report: Progress) -> "Similarity":
        from dashboard.engine import head_similarity

        return head_similarity(trace, progress=report, site=site)

    return result_job("similarity", (*trace.key, site), work)


def changes_job(before: "Trace", after: "Trace", site: str) -> "Job[Any]":
    """How far each head moved from one model to another, on the same input."""

    def work(report: Progress) -> Any:
        from dashboard.engine.head_analysis.drift import head_changes

        return head_changes(before, after, report, site=site)

    return result_job("changes", (after.model.serial, after.key, before.key, site), work)


def probe_job(model: "LoadedModel") -> "Job[Any]":
    """The induction probe: one score for each head, on random tokens twice."""

    def work(report: Progress) -> Any:
        from dashboard.engine import induction_probe

        return induction_probe(model, progress=report)

    return result_job("probe", (model.serial,), work)


def importance_job(trace: "Trace", target: int, site: str) -> "Job[Any]":
    """What each head contributes to one choice's logit."""

    def work(report: Progress) -> Any:
        from dashboard.engine import head_importance

        return head_importance(trace, target, progress=report, site=site)

    return result_job("importance", (*trace.key, target, site), work)


@st.cache_data(max_entries=16, show_spinner=False)
def _thumbnails(key: Hashable, site: str, pooling: "Pooling", max_pixels: int, _trace: "Trace") -> Any:
    return _trace.thumbnails(max_pixels, site, pooling)


def thumbnails(trace: "Trace", site: str, pooling: "Pooling", max_pixels: int) -> Any:
    """Every head's pattern, small; kept for as long as it is looked at.

    Raises:
        EngineError: As Trace.thumbnails.
    """
    return _thumbnails(trace.key, site, pooling, max_pixels, _trace=trace)


def weights(trace: "Trace", site: str, layer: int, head: int | None = None) -> Any:
    """Exact weights of one head, or of all heads of a layer.

    Raises:
        EngineError: As Trace.attention.
    """
    return trace.attention(layer, head, site=site)


def pair_similarity(trace: "Trace", site: str, a: tuple[int, int], b: tuple[int, int]) -> Any:
    """Similarity of two heads' rows, one number a query."""
    from dashboard.engine import pair_similarity

    return pair_similarity(trace, a, b, site=site)


def row_correlation(trace: "Trace", site: str, a: tuple[int, int], b: tuple[int, int], query: int) -> float:
    """Spearman correlation of one row of two heads; NaN where it is not defined."""
    from dashboard.engine import row_correlation

    return row_correlation(trace, a, b, query, site=site)


def grouped(alike: "Similarity") -> tuple[Any, Any]:
    """The tree of heads and their places on a map."""
    from dashboard.engine.head_analysis.clustering import classical_mds, cluster

    return cluster(alike.distance), classical_mds(alike.distance)


def query_key(trace: "Trace", site: str, layer: int, head: int, query: int) -> "QueryKey":
    """The parts of one row of one head.

    Raises:
        EngineError: As the engine's query_key.
    """
    from dashboard.engine.head_analysis.query_key import query_key

    return query_key(trace, layer, head, query, site)


@st.cache_data(max_entries=64, show_spinner=False)
def _heat_map(key: Hashable, options: dict[str, Any], _trace: "Trace") -> "HeatMap":
    return _trace.heat_map(**options)


def heat_map(trace: "Trace", **options: Any) -> "HeatMap":
    """One picture of attention, kept for as long as it is looked at: a click on a colour computes nothing again.

    Raises:
        EngineError: As Trace.heat_map.
    """
    found: HeatMap = _heat_map(trace.key, options, _trace=trace)
    return found
