"""One set-up for all tests in a browser: Chromium, apps on free ports, and pages of the galleries of components."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROOT = Path(__file__).resolve().parents[1]
GALLERIES = ROOT / "tests" / "components"
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


@contextmanager
def serving(command: Sequence[str], port: int, cwd: Path, folder: Path, **environment: str) -> Iterator[App]:
    """Runs a command that serves an app on that port, with those environment variables; ends what it started."""
    app = App(f"http://127.0.0.1:{port}", folder / f"app-{port}.log")
    with app.log.open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
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
def serving_file(file: Path, folder: Path) -> Iterator[App]:
    """Serves one file with `streamlit run` on a free port of this machine."""
    port = free_port()
    options = ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"]
    options += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    with serving([sys.executable, "-m", "streamlit", "run", str(file), *options], port, ROOT, folder) as app:
        yield app


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is; in CI, its absence is a failure."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium on this machine, and in CI these tests must run")
        pytest.skip("no chromium on this machine")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One for each file of tests: a thread can drive only one Playwright."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@dataclass(frozen=True)
class Gallery:
    """A running gallery of components, and what must be there before a test of it begins."""

    url: str
    shown: dict[str, int]
    """How many there are of each test id."""
    script: str = ""
    """Runs in each page before the page's own scripts."""
    until: str = "true"
    """A condition in JavaScript that holds when everything is drawn."""


@pytest.fixture(scope="module")
def serve(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Gallery]]:
    """Starts a gallery: `serve("gallery_app.py", {"heat-map": 1})`; it ends with the module."""
    with ExitStack() as servers:

        def start(file: str, shown: dict[str, int], **rest: str) -> Gallery:
            app = servers.enter_context(serving_file(GALLERIES / file, tmp_path_factory.mktemp("gallery")))
            return Gallery(app.url, shown, **rest)

        yield start


@pytest.fixture
def page(gallery: Gallery, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh session of the gallery, as wide and as dark as a test asks; an error in any script fails the test."""
    look: dict[str, Any] = {"width": 1440, "scheme": "light"} | getattr(request, "param", {})
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": look["width"], "height": 1000}, color_scheme=look["scheme"])
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.add_init_script(gallery.script)
    opened.goto(gallery.url)
    for name, count in gallery.shown.items():
        expect(opened.get_by_test_id(name)).to_have_count(count, timeout=30_000)
        opened.get_by_test_id(name).last.wait_for()
    opened.evaluate("document.fonts.ready")
    opened.wait_for_function(gallery.until)
    yield opened
    opened.close()
    assert not errors


def expect_events(page: Page, text: str) -> None:
    """Waits until the gallery says that exactly these events arrived, and has drawn what they change."""
    expect(page.get_by_text("events:")).to_have_text(f"events: {text}", timeout=10_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=10_000)
