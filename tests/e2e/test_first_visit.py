"""The first visit: the page is there before the model is, and ends with an answer, whatever way it was started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from e2e.served import ROOT, free_port, fresh_app, running
from e2e.visits import visiting
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser

ACCENT = "rgb(79, 70, 229)"  # primaryColor of the light theme in .streamlit/config.toml


def test_the_page_comes_before_the_model_and_paris_comes_first(models: None, browser: Browser, tmp_path: Path) -> None:
    with fresh_app(tmp_path) as app, visiting(app, browser) as visit:
        explore = visit()
        page = explore.page
        page.goto(app.url)
        page.locator(".skeleton").first.wait_for()
        page.get_by_role("progressbar").first.wait_for()
        expect(explore.box).to_have_value("The capital of France is")
        expect(page.get_by_role("combobox", name="Model")).to_be_visible()
        expect(explore.choices).to_have_count(0)

        explore.ready()
        first = explore.choices.first
        expect(first).to_contain_text("Paris")
        assert float(first.get_attribute("data-probability") or "nan") == pytest.approx(0.77, abs=0.01)
        assert len(explore.values(explore.strip)) == 5
        expect(explore.status).to_contain_text("5 of 8,192 tokens")
        expect(page.get_by_test_id("stSidebar")).to_contain_text("equals eager to")


def test_streamlit_run_from_another_folder_looks_the_same(models: None, browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py")]
    command += ["--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1"]
    with running(command, port, tmp_path, tmp_path) as app, visiting(app, browser) as visit:
        explore = visit()
        explore.page.goto(app.url)
        expect(explore.run_button).to_have_css("background-color", ACCENT)
        expect(explore.box).to_have_value("The capital of France is")
