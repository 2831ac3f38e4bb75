"""Models that label tokens or find answers: the page follows what the trace says it has."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.attribution import AttributionPage
from playwright.sync_api import expect
from tiny import TEXT, make_folder

from dashboard.engine import attribute, load_model, trace

pytestmark = pytest.mark.browser
METHODS = "input_x_gradient~leave_one_out"


def test_a_tokens_label_is_explained_by_a_click(page: AttributionPage, tmp_path: Path) -> None:
    folder = str(make_folder("bert for token classes", tmp_path))
    page.open(model=folder, text=TEXT, methods=METHODS)
    made = trace(load_model(folder), TEXT)
    assert made.prediction.position is not None
    other = made.prediction.position + 3
    page.page.locator(".st-key-places").get_by_test_id("token-strip").locator(f"[data-index='{other}']").click()
    page.expect_link(f"at={other}")
    page.ready()
    there = trace(load_model(folder), TEXT, at=other)
    expect(page.heading).to_contain_text(there.prediction.choices[0].label.text)
    page.expect_numbers(0, attribute(there, "input_x_gradient").scores, rtol=1e-2, atol=1e-4)


def test_an_answers_span_is_explained(page: AttributionPage, tmp_path: Path) -> None:
    folder = str(make_folder("bert for answers", tmp_path))
    page.open(model=folder, methods=METHODS)  # starts with an example pair
    pair = page.link()["text"], page.link()["pair"]
    made = trace(load_model(folder), pair)
    expect(page.heading).to_contain_text(made.prediction.choices[0].label.text.split()[0])
    page.expect_numbers(0, attribute(made, "input_x_gradient").scores, rtol=1e-2, atol=1e-4)
    page.press("One text")
    expect(page.error.first).to_contain_text("second text")
