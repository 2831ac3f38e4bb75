"""The only module that knows both Streamlit and the engine: models, traces and attributions as jobs.

The engine is imported inside the work, so the page is on screen before torch is.
"""

import weakref
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import streamlit as st

from dashboard import visitors
from dashboard.engine.catalog import MODELS
from dashboard.engine.progress import Progress
from dashboard.engine.settings import max_models
from dashboard.jobs import Job, Shelf

if TYPE_CHECKING:
    from dashboard.engine import Attribution, HeatMap, LoadedModel, Similarity, Token, Trace
    from dashboard.engine.attribution import Method
    from dashboard.engine.head_scores import HeadScore
    from dashboard.engine.heat_maps import Pooling
    from dashboard.engine.query_key import QueryKey

T = TypeVar("T")

MAX_RESULTS = 256
MAX_TRACE_BYTES = 3 * 1024**3


@st.cache_resource(show_spinner=False)
def _shelves() -> dict[str, Shelf]:
    results = {
        "traces": Shelf(MAX_RESULTS, MAX_TRACE_BYTES),
        "attributions": Shelf(MAX_RESULTS),
        "scores": Shelf(MAX_RESULTS),
        "similarities": Shelf(8),
        "probes": Shelf(8),
        "importances": Shelf(MAX_RESULTS),
    }

    def drop_results(job: Job[Any]) -> None:
        """A dropped model's results would keep it in memory."""
        if job.result is not None:
            serial = job.result.serial
            for shelf in results.values():
                shelf.drop(lambda key: key[0] == serial)

    return {"models": Shelf(max_models(), on_drop=drop_results), **results}


def model_job(source: str) -> "Job[LoadedModel]":
    """Loads a model, downloading it where it is not here yet."""

    def work(report: Progress) -> "LoadedModel":
        report("Starting the engine", None)
        from dashboard.engine import load_model

        return load_model(source, progress=report, access=visitors.access())

    return _shelves()["models"].get(source, work)


def trace_job(model: "LoadedModel", text: str) -> "Job[Trace]":
    """Runs a model on a text."""

    def work(report: Progress) -> "Trace":
        from dashboard.engine import trace

        return trace(model, text, report)

    return _only_wait_for("trace", _shelves()["traces"].get((model.serial, text), work))


def attribution_job(trace: "Trace", method: str, target: int) -> "Job[Attribution]":
    """Attributes one choice to the tokens of a trace."""

    def work(report: Progress) -> "Attribution":
        from dashboard.engine import attribute

        return attribute(trace, method, target, progress=report)

    job = _shelves()["attributions"].get((trace.model.serial, trace.text, method, target), work)
    return _only_wait_for("attribution", job)


def session() -> str:
    """A name for this visitor's session."""
    name: str = st.session_state.setdefault("session", uuid4().hex)
    return name


def _only_wait_for(kind: str, job: Job[T]) -> Job[T]:
    """A session waits for one job of a kind at a time, and leaves the one it waited for before."""
    before: Job[Any] | None = st.session_state.get(f"waiting_for_{kind}", lambda: None)()
    if before is not None and before is not job:
        before.leave(session())
    st.session_state[f"waiting_for_{kind}"] = weakref.ref(job)  # its result holds a model that may be dropped
    return job


def scores_job(trace: "Trace") -> "Job[dict[str, Any]]":
    """All head scores of a trace, in one pass."""

    def work(report: Progress) -> dict[str, Any]:
        return trace.all_head_scores(progress=report)

    return _only_wait_for("scores", _shelves()["scores"].get((trace.model.serial, trace.text), work))


def examples(source: str, model: "LoadedModel | None") -> tuple[str, ...]:
    """Texts to try: the catalogue's for its models, the task's for others; none before such a model is there."""
    if source in MODELS:
        return MODELS[source].examples
    if model is None:
        return ()
    return tuple(text.format(mask=model.tokenizer.mask_token) for text in model.task.examples)


def methods() -> "Mapping[str, Method]":
    """The attribution methods; ask only once a model is there, because their module needs torch."""
    from dashboard.engine import METHODS

    return METHODS


def head_scores() -> "Mapping[str, HeadScore]":
    """The head scores; ask only once a model is there, because their module needs torch."""
    from dashboard.engine import HEAD_SCORES

    return HEAD_SCORES


def words(trace: "Trace") -> "tuple[Token, ...]":
    """The words of a trace's input."""
    from dashboard.engine.tokens import join_words

    return join_words(trace.tokens, trace.text)


def word_span(trace: "Trace", word: int) -> tuple[int, int]:
    """First token of a word and one past its last."""
    from dashboard.engine.tokens import word_spans

    return word_spans(trace.tokens)[word]


def memory_in_use(model: "LoadedModel") -> int:
    """Bytes that this process holds on the model's device."""
    from dashboard.engine.devices import memory_in_use

    return memory_in_use(model.device)


def similarity_job(trace: "Trace") -> "Job[Similarity]":
    """How alike any two heads of a trace are."""

    def work(report: Progress) -> "Similarity":
        from dashboard.engine import head_similarity

        return head_similarity(trace, progress=report)

    job = _shelves()["similarities"].get((trace.model.serial, trace.text), work)
    return _only_wait_for("similarity", job)


def probe_job(model: "LoadedModel") -> "Job[Any]":
    """The induction probe: one score for each head, on random tokens twice."""

    def work(report: Progress) -> Any:
        from dashboard.engine import induction_probe

        return induction_probe(model, progress=report)

    return _only_wait_for("probe", _shelves()["probes"].get((model.serial,), work))


def importance_job(trace: "Trace", target: int) -> "Job[Any]":
    """What each head contributes to one choice's logit."""

    def work(report: Progress) -> Any:
        from dashboard.engine import head_importance

        return head_importance(trace, target, progress=report)

    job = _shelves()["importances"].get((trace.model.serial, trace.text, target), work)
    return _only_wait_for("importance", job)


@st.cache_data(max_entries=16, show_spinner=False)
def _thumbnails(key: Hashable, pooling: "Pooling", max_pixels: int, _trace: "Trace") -> Any:
    return _trace.thumbnails(max_pixels, pooling=pooling)


def thumbnails(trace: "Trace", pooling: "Pooling", max_pixels: int) -> Any:
    """Every head's pattern, small; kept for as long as it is looked at.

    Raises:
        EngineError: As Trace.thumbnails.
    """
    return _thumbnails((trace.model.serial, trace.text), pooling, max_pixels, _trace=trace)


def weights(trace: "Trace", layer: int, head: int | None = None) -> Any:
    """Exact weights of one head, or of all heads of a layer.

    Raises:
        EngineError: As Trace.attention.
    """
    return trace.attention(layer, head)


def pair_similarity(trace: "Trace", a: tuple[int, int], b: tuple[int, int]) -> Any:
    """Similarity of two heads' rows, one number a query."""
    from dashboard.engine import pair_similarity

    return pair_similarity(trace, a, b)


def row_correlation(trace: "Trace", a: tuple[int, int], b: tuple[int, int], query: int) -> float:
    """Spearman correlation of one row of two heads; NaN where it is not defined."""
    from dashboard.engine import row_correlation

    return row_correlation(trace, a, b, query)


def grouped(alike: "Similarity") -> tuple[Any, Any]:
    """The tree of heads and their places on a map."""
    from dashboard.engine.grouping import classical_mds, cluster

    return cluster(alike.distance), classical_mds(alike.distance)


def query_key(trace: "Trace", layer: int, head: int, query: int) -> "QueryKey":
    """The parts of one row of one head.

    Raises:
        EngineError: As the engine's query_key.
    """
    from dashboard.engine.query_key import query_key

    return query_key(trace, layer, head, query)


def finished_attribution(trace: "Trace", method: str, target: int) -> "Attribution | None":
    """The attribution if it is here already; starts nothing."""
    job = _shelves()["attributions"].peek((trace.model.serial, trace.text, method, target))
    return None if job is None else job.result


def finished_scores(trace: "Trace") -> dict[str, Any] | None:
    """All head scores if they are here already; starts nothing."""
    job = _shelves()["scores"].peek((trace.model.serial, trace.text))
    return None if job is None else job.result


@st.cache_data(max_entries=64, show_spinner=False)
def _heat_map(key: Hashable, options: dict[str, Any], _trace: "Trace") -> "HeatMap":
    return _trace.heat_map(**options)


def heat_map(trace: "Trace", **options: Any) -> "HeatMap":
    """One picture of attention, kept for as long as it is looked at: a click on a colour computes nothing again.

    Raises:
        EngineError: As Trace.heat_map.
    """
    found: HeatMap = _heat_map((trace.model.serial, trace.text), options, _trace=trace)
    return found


def finished_trace(source: str, text: str) -> "Trace | None":
    """The trace of that text if it is here already; starts nothing."""
    model = _shelves()["models"].peek(source)
    if model is None or model.result is None:
        return None
    job = _shelves()["traces"].peek((model.result.serial, text))
    return None if job is None else job.result
