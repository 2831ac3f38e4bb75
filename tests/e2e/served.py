"""The real app as a process of its own, started by a command and ended with all that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A port that nothing listens on: the Hub is "not reachable" without anything leaving this machine.
NO_HUB = "http://127.0.0.1:9"
SHOWN_LOG = 4_000


class App:
    """A running app: where it is, and what it wrote."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def written(self) -> str:
        return self.log.read_text(errors="replace")

    def end_of_log(self) -> str:
        return self.written()[-SHOWN_LOG:]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(app: App, server: subprocess.Popen[bytes], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{app.url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start (exit status {server.poll()}):\n{app.end_of_log()}")


def _tests_root(folder: Path) -> Path:
    """The folder of this run's temporary folders: pytest numbers the runs of one user."""
    return next((parent for parent in folder.parents if parent.name.startswith("pytest-of-")), folder.parent)


@contextmanager
def running(command: Sequence[str], port: int, cwd: Path, folder: Path, **settings: str) -> Iterator[App]:
    """Runs a command that serves the app on that port, with those environment variables; ends what it started."""
    app = App(f"http://127.0.0.1:{port}", folder / f"app-{port}.log")
    # Tests open tiny models from folders of their own, all below the one that pytest makes for them.
    folders = {"ATTENTION_DASHBOARD_FOLDERS": str(_tests_root(folder))}
    environment = {**os.environ, **folders, "HF_ENDPOINT": NO_HUB, "PYTHONUNBUFFERED": "1", **settings}
    with app.log.open("wb") as log:
        server = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_healthy(app, server)
        yield app
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(20)


@contextmanager
def fresh_app(folder: Path, *options: str, **settings: str) -> Iterator[App]:
    """An app of its own, started as the README says, with those options and environment variables besides."""
    port = free_port()
    command = [sys.executable, "-m", "dashboard", "--no-browser", "--port", str(port), *options]
    with running(command, port, ROOT, folder, **settings) as app:
        yield app
