"""The BertViz page: its two views offline, our lines, and a score's parts."""

from __future__ import annotations

import pytest
from e2e.explore import MODEL_TIMEOUT, Explore
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def open_drawing(explore: Explore, drawing: str, text: str, **more: str) -> None:
    query = {"model": "smollm2", "drawing": drawing, "text": text.replace(" ", "+"), "layer": "18", "head": "6", **more}
    explore.page.goto(f"{explore.url}/bertviz?" + "&".join(f"{name}={value}" for name, value in query.items()))


@pytest.mark.parametrize("drawing", ["head", "model"])
def test_bertviz_draws_offline_and_hostile_tokens_are_text(explore: Explore, drawing: str) -> None:
    open_drawing(explore, drawing, "Hi %3C%2Fscript%3E%3Cscript%3Ewindow.top.hacked=1%3C%2Fscript%3E there")
    frame = explore.page.frame_locator("iframe")
    expect(frame.locator("svg").first).to_be_visible(timeout=MODEL_TIMEOUT)
    expect(explore.page.get_by_text("weights rounded to 4 digits")).to_be_visible()
    assert explore.page.evaluate("window.hacked") is None


def test_too_many_lines_are_refused_with_the_alternative(explore: Explore) -> None:
    open_drawing(explore, "head", "word " * 400)
    expect(explore.page.get_by_text("BertViz draws at most")).to_be_visible(timeout=MODEL_TIMEOUT)
    expect(explore.page.get_by_text("Head lines or the Heads page")).to_be_visible()


def test_head_lines_pin_a_query(explore: Explore) -> None:
    open_drawing(explore, "lines", "The capital of France is")
    lines = explore.page.get_by_test_id("head-lines")
    expect(lines).to_be_visible(timeout=MODEL_TIMEOUT)
    explore.settled()
    frame = lines.bounding_box()
    assert frame
    lines.click(position={"x": 60, "y": frame["height"] * 0.5})
    explore.expect_link("pin=2")


def test_the_parts_of_a_score_add_up_to_the_weights(explore: Explore) -> None:
    open_drawing(explore, "query_key", "The capital of France is", pin="4")
    expect(explore.page.get_by_test_id("query-key")).to_be_visible(timeout=MODEL_TIMEOUT)
    expect(explore.page.get_by_text("looks where it looks")).to_be_visible()
