"""Galleries and a browser for the tests of components."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the gallery did not start (exit status {server.poll()})")


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[str], str]]:
    """Starts a gallery of this folder and says its address; it ends with the module."""
    if BROWSER is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium on this machine, and in CI these tests must run")
        pytest.skip("no chromium on this machine")
    servers: list[subprocess.Popen[bytes]] = []

    def start(app: str) -> str:
        port = _free_port()
        options = ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"]
        options += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
        command = [sys.executable, "-m", "streamlit", "run", str(Path(__file__).with_name(app)), *options]
        servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        _wait_until_healthy(f"http://127.0.0.1:{port}", servers[-1])
        return f"http://127.0.0.1:{port}"

    try:
        yield start
    finally:
        for server in servers:
            server.terminate()
            server.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if os.environ.get("CI") != "true":
        pytest.importorskip("playwright.sync_api")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield running
        running.close()
