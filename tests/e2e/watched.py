"""A browser window that writes down what the visitor would not see: errors, requests, bytes."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, WebSocket

DESK = {"width": 1440, "height": 1000}
LOCAL = {"127.0.0.1", ""}  # no host: data: and blob:
# Streamlit looks for its server below the address of the page first, then above; the browser reports the first try.
LOOKING_FOR_THE_SERVER = re.compile(r"/[a-z-]+/_stcore/(health|host-config)")


class Watched:
    """A window, and those that it opens, in a fresh browser profile."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.exceptions = 0
        self.received = 0
        self.context = browser.new_context(**{"viewport": DESK, **options})
        self.context.set_default_timeout(120_000)
        self.context.on("request", lambda request: self._note(request.url))
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._read)
        page.on("websocket", self._listen)

    def _read(self, message: ConsoleMessage) -> None:
        where = urlsplit(message.location.get("url") or "").path
        if message.type == "error" and not LOOKING_FOR_THE_SERVER.fullmatch(where):
            self.errors.append(f"{message.text} ({where})")

    def _note(self, url: str) -> None:
        if (urlsplit(url).hostname or "") not in LOCAL:
            self.elsewhere.append(url)

    def _listen(self, socket: WebSocket) -> None:
        self._note(socket.url)
        socket.on("framereceived", self._count)

    def _count(self, payload: str | bytes) -> None:
        self.received += len(payload)

    def close(self) -> None:
        self.exceptions = sum(page.get_by_test_id("stException").count() for page in self.context.pages)
        self.context.close()

    def check(self) -> None:
        """Nothing failed in the page's scripts, and nothing was asked of any other machine."""
        assert not self.errors, f"errors in the browser: {self.errors}"
        assert not self.elsewhere, f"requests that leave this machine: {self.elsewhere}"
        assert not self.exceptions, "the page shows an exception"
