"""Jobs: shared, cancellable, kept while there is room, and never an exception in the page."""

import threading
from typing import Any

import pytest

from dashboard.engine.errors import InvalidInput
from dashboard.runtime import Job, _Shelf


class Sized:
    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def finished(job: Job[Any]) -> Job[Any]:
    assert job.wait(10)
    return job


def test_a_result_is_shared() -> None:
    shelf, runs = _Shelf(4), []

    def work(report: Any) -> int:
        runs.append(1)
        return 42

    first = shelf.get("a", work)
    assert finished(first).result == 42
    assert shelf.get("a", work) is first
    assert len(runs) == 1


def test_progress_is_seen_and_cancelling_stops_the_work() -> None:
    reported, go = threading.Event(), threading.Event()

    def work(report: Any) -> int:
        report("half", 0.5)
        reported.set()
        go.wait(10)
        report("more", 0.6)
        raise AssertionError("went on after it was cancelled")

    job = _Shelf(4).get("a", work)
    assert reported.wait(10)
    assert (job.message, job.fraction) == ("half", 0.5)
    job.cancel()
    go.set()
    assert finished(job).cancelled
    assert job.result is None
    assert job.error is None


def test_errors_become_messages(caplog: pytest.LogCaptureFixture) -> None:
    def known(report: Any) -> None:
        raise InvalidInput("There is no text.", "Type one.")

    def unknown(report: Any) -> None:
        raise ZeroDivisionError("secret path /home/x")

    shelf = _Shelf(4)
    job = finished(shelf.get("a", known))
    assert job.error is not None
    assert job.error.cause == "There is no text."
    job = finished(shelf.get("b", unknown))
    assert job.error is not None
    assert "ZeroDivisionError" in job.error.cause
    assert "secret" not in str(job.error)


def test_trying_again_starts_again() -> None:
    shelf, runs = _Shelf(4), []

    def work(report: Any) -> int:
        runs.append(1)
        if len(runs) == 1:
            raise InvalidInput("No.", "Again.")
        return 7

    job = finished(shelf.get("a", work))
    assert shelf.get("a", work) is job, "an error does not start work by itself"
    job.retry()
    assert finished(shelf.get("a", work)).result == 7


def test_abandoned_work_starts_again_when_asked_for() -> None:
    shelf, go = _Shelf(4), threading.Event()

    def work(report: Any) -> int:
        go.wait(10)
        report("on", 0.1)
        return 1

    first = shelf.get("a", work)
    first.abandon()
    go.set()
    assert finished(shelf.get("a", work)).result == 1
    assert finished(first).result is None


def test_the_least_recently_used_goes_first() -> None:
    dropped: list[Any] = []
    shelf = _Shelf(2, on_drop=lambda job: dropped.append(job.result))
    for name in "ab":
        finished(shelf.get(name, lambda report, name=name: name))
    shelf.get("a", lambda report: "a")
    finished(shelf.get("c", lambda report: "c"))
    assert dropped == ["b"]
    assert shelf.peek("b") is None


def test_large_results_make_room() -> None:
    shelf = _Shelf(100, max_bytes=10)
    for name in "abc":
        finished(shelf.get(name, lambda report: Sized(6)))
    shelf.get("c", lambda report: Sized(6))
    assert [shelf.peek(name) is not None for name in "abc"] == [False, False, True]
