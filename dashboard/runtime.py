"""The only module that knows both Streamlit and the engine: models, traces and attributions as jobs.

Work runs in threads, is shared by all sessions that ask for the same thing, and is kept while there is room. The
engine is imported inside the work, so the page is on screen before torch is.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import streamlit as st

from dashboard.engine.errors import Cancelled, EngineError
from dashboard.engine.progress import Progress

if TYPE_CHECKING:
    from dashboard.engine import Attribution, LoadedModel, Token, Trace
    from dashboard.engine.attribution import Method
    from dashboard.engine.head_scores import HeadScore

T = TypeVar("T")

MAX_MODELS = 2
MAX_RESULTS = 256
MAX_TRACE_BYTES = 3 * 1024**3


class Job(Generic[T]):
    """Work in a thread: progress to look at, a result or an error to take, and a way to cancel.

    Args:
        work: Called with a progress callback that raises Cancelled once the job has been cancelled.
    """

    def __init__(self, work: Callable[[Progress], T]) -> None:
        self.message, self.fraction = "Starting", None
        self.result: T | None = None
        self.error: EngineError | None = None
        self.cancelled = False
        self.abandoned = False
        self.retry: Callable[[], None] = lambda: None
        self._finished = threading.Event()
        self._work = work
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.result = self._work(self._report)
        except Cancelled:
            self.cancelled = True
        except EngineError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the visitor gets a sentence, the log the rest
            st.logger.get_logger(__name__).exception("A job failed")
            self.error = EngineError(
                f"Something unexpected went wrong ({type(error).__name__}).",
                "Try again, or try another text; the server's log has the details.",
            )
        finally:
            self._finished.set()

    message: str
    fraction: float | None

    def _report(self, message: str, fraction: float | None) -> None:
        self.message, self.fraction = message, fraction
        if self.cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """Asks the work to stop at its next report."""
        self.cancelled = True

    def abandon(self) -> None:
        """Stops work that nobody waits for any more; whoever asks for it again gets a new job."""
        if not self.done:
            self.abandoned = self.cancelled = True

    @property
    def done(self) -> bool:
        return self._finished.is_set()

    def wait(self, seconds: float) -> bool:
        """True once the job is done; waits that long at most."""
        return self._finished.wait(seconds)


class _Shelf:
    """Jobs by key, the least recently used dropped first when there are too many or their results too large."""

    def __init__(
        self,
        max_entries: int,
        max_bytes: float = float("inf"),
        on_drop: Callable[[Job[Any]], None] = lambda job: None,
    ) -> None:
        self._max_entries, self._max_bytes, self._on_drop = max_entries, max_bytes, on_drop
        self._jobs: OrderedDict[Hashable, Job[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, work: Callable[[Progress], Any]) -> Job[Any]:
        """The job of that key, started if there is none."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.abandoned:
                job = self._jobs[key] = Job(work)
                job.retry = lambda: self.drop(lambda other: other == key)
            self._jobs.move_to_end(key)
            self._make_room(key)
            return job

    def peek(self, key: Hashable) -> Job[Any] | None:
        """The job of that key if there is one."""
        with self._lock:
            return self._jobs.get(key)

    def drop(self, unwanted: Callable[[Any], bool]) -> None:
        """Forgets the jobs whose key is unwanted; the next request starts them again."""
        with self._lock:
            for key in [key for key in self._jobs if unwanted(key)]:
                del self._jobs[key]

    def _make_room(self, keep: Hashable) -> None:
        size = sum(getattr(job.result, "nbytes", 0) for job in self._jobs.values())
        for key in list(self._jobs):
            if len(self._jobs) <= self._max_entries and size <= self._max_bytes:
                return
            if key != keep and self._jobs[key].done:
                job = self._jobs.pop(key)
                size -= getattr(job.result, "nbytes", 0)
                self._on_drop(job)


@st.cache_resource(show_spinner=False)
def _shelves() -> dict[str, _Shelf]:
    results = {
        "traces": _Shelf(MAX_RESULTS, MAX_TRACE_BYTES),
        "attributions": _Shelf(MAX_RESULTS),
        "scores": _Shelf(MAX_RESULTS),
    }

    def drop_results(job: Job[Any]) -> None:
        """A dropped model's results would keep it in memory."""
        if job.result is not None:
            serial = job.result.serial
            for shelf in results.values():
                shelf.drop(lambda key: key[0] == serial)

    return {"models": _Shelf(MAX_MODELS, on_drop=drop_results), **results}


def model_job(source: str) -> "Job[LoadedModel]":
    """Loads a model, downloading it where it is not here yet."""

    def work(report: Progress) -> "LoadedModel":
        report("Starting the engine", None)
        from dashboard.engine import load_model

        return load_model(source, progress=report)

    return _shelves()["models"].get(source, work)


def trace_job(model: "LoadedModel", text: str) -> "Job[Trace]":
    """Runs a model on a text."""

    def work(report: Progress) -> "Trace":
        from dashboard.engine import trace

        return trace(model, text, report)

    return _shelves()["traces"].get((model.serial, text), work)


def attribution_job(trace: "Trace", method: str, target: int) -> "Job[Attribution]":
    """Attributes one choice to the tokens of a trace."""

    def work(report: Progress) -> "Attribution":
        from dashboard.engine import attribute

        return attribute(trace, method, target, progress=report)

    job = _shelves()["attributions"].get((trace.model.serial, trace.text, method, target), work)
    _abandon_previous("attribution", job)
    return job


def _abandon_previous(kind: str, job: Job[Any]) -> None:
    """A session waits for one job of a kind at a time; the one it no longer waits for is stopped."""
    previous: Job[Any] | None = st.session_state.get(f"waiting_for_{kind}")
    if previous is not None and previous is not job:
        previous.abandon()
    if job.done:
        st.session_state.pop(f"waiting_for_{kind}", None)
    else:
        st.session_state[f"waiting_for_{kind}"] = job


def scores_job(trace: "Trace") -> "Job[dict[str, Any]]":
    """All head scores of a trace, in one pass."""

    def work(report: Progress) -> dict[str, Any]:
        return trace.all_head_scores(progress=report)

    return _shelves()["scores"].get((trace.model.serial, trace.text), work)


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


def memory_in_use(model: "LoadedModel") -> int:
    """Bytes that this process holds on the model's device."""
    from dashboard.engine.devices import memory_in_use

    return memory_in_use(model.device)


def finished_attribution(trace: "Trace", method: str, target: int) -> "Attribution | None":
    """The attribution if it is here already; starts nothing."""
    job = _shelves()["attributions"].peek((trace.model.serial, trace.text, method, target))
    return None if job is None else job.result


def finished_trace(source: str, text: str) -> "Trace | None":
    """The trace of that text if it is here already; starts nothing."""
    model = _shelves()["models"].peek(source)
    if model is None or model.result is None:
        return None
    job = _shelves()["traces"].peek((model.result.serial, text))
    return None if job is None else job.result
