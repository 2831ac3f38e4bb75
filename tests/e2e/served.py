"""The real app as a process of its own, started by a command and ended with all that it started."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from browser import ROOT, App, free_port, serving

# A port that nothing listens on: the Hub is "not reachable" without anything leaving this machine.
NO_HUB = "http://127.0.0.1:9"


def _tests_root(folder: Path) -> Path:
    """The folder of this run's temporary folders: pytest numbers the runs of one user."""
    return next((parent for parent in folder.parents if parent.name.startswith("pytest-of-")), folder.parent)


@contextmanager
def running(command: Sequence[str], port: int, cwd: Path, folder: Path, **settings: str) -> Iterator[App]:
    """Runs a command that serves the app on that port, with those environment variables; ends what it started."""
    # Tests open tiny models from folders of their own, all below the one that pytest makes for them.
    folders = {"ATTENTION_DASHBOARD_FOLDERS": str(_tests_root(folder))}
    environment = {**folders, "HF_ENDPOINT": NO_HUB, "PYTHONUNBUFFERED": "1", **settings}
    with serving(command, port, cwd, folder, **environment) as app:
        yield app


AS_IN_README = ("-m", "dashboard")
PICKLED = (str(ROOT / "tests" / "pickled_app.py"),)


@contextmanager
def fresh_app(folder: Path, *options: str, start: Sequence[str] = PICKLED, **settings: str) -> Iterator[App]:
    """An app of its own, with those options and environment variables besides.

    Args:
        folder: For its log.
        options: Of the command line.
        start: What Python runs: the README's very command, or, by default, the same with every value that the runtime
            gives a page sent through pickle and back.
        settings: Environment variables.
    """
    port = free_port()
    command = [sys.executable, *start, "--no-browser", "--port", str(port), *options]
    with running(command, port, ROOT, folder, **settings) as app:
        yield app
