"""Visitors to a running app, and what must hold after every visit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from browser import App
from e2e.explore import Explore
from e2e.watched import Watched
from playwright.sync_api import Browser

Visit = Callable[..., Explore]
# How the log begins a line about something that nobody foresaw.
UNFORESEEN = ("Uncaught app execution", "A job failed")


@contextmanager
def visiting(app: App, browser: Browser) -> Iterator[Visit]:
    """Opens visitors' windows, each with a fresh browser profile; at the end, nothing may have gone wrong in any."""
    windows: list[Watched] = []
    before = len(app.written())

    def visit(**options: Any) -> Explore:
        watched = Watched(browser, **options)
        windows.append(watched)
        return Explore(watched, app.url)

    yield visit
    for watched in windows:
        watched.close()
    for watched in windows:
        watched.check()
    said = app.written()[before:]
    assert not any(words in said for words in UNFORESEEN), app.end_of_log()
