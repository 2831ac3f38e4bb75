"""Patches over an image in a browser: what is read out where, clicks, keys and sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from browser import Gallery, expect_events
from overlays import overlay, patch, serve_overlays, within
from playwright import sync_api

WIDE = np.arange(1, 25).reshape(4, 6) / 24  # patch (1, 2) is NaN
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def gallery(serve: Callable[..., Gallery]) -> Gallery:
    return serve_overlays(serve)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 5), (3, 0), (2, 4)])
def test_the_value_under_the_pointer_is_the_patchs(page: sync_api.Page, row: int, column: int) -> None:
    overlay(page, "wide").hover(position=patch(page, "wide", (4, 6), row, column))
    text = f"patch row {row}, column {column} · attention {WIDE[row, column]:#.3g}"
    sync_api.expect(within(page, "wide", ".tooltip")).to_have_text(text)


def test_grids_of_every_size_are_read_out(page: sync_api.Page) -> None:
    for name, grid, (row, column), text in [
        ("wide", (4, 6), (1, 2), "no value"),
        ("scene", (24, 24), (17, 5), "attention 0.0412"),
        ("scene", (24, 24), (17, 6), f"attention {0.0412 * np.exp(-1 / 12):#.3g}"),
        ("signed", (24, 24), (7, 20), "logits −2.50"),
        ("signed", (24, 24), (17, 5), "logits +2.50"),
        ("one", (1, 1), (0, 0), "<b>share</b> 0.250"),
        ("thin", (1, 3), (0, 1), "attention 0.500"),
        ("nothing", (2, 2), (1, 0), "no value"),
    ]:
        overlay(page, name).hover(position=patch(page, name, grid, row, column))
        tooltip = within(page, name, ".tooltip")
        sync_api.expect(tooltip).to_have_text(f"patch row {row}, column {column} · {text}")
    page.get_by_text("events:").hover()
    sync_api.expect(page.locator(".tooltip:visible")).to_have_count(0)


def test_a_click_chooses_a_patch_and_another_lets_it_go(page: sync_api.Page) -> None:
    place = patch(page, "wide", (4, 6), 2, 1)
    overlay(page, "wide").click(position=place)
    expect_events(page, "wide 13")
    readout = within(page, "wide", ".readout")
    sync_api.expect(readout).to_have_text("Chosen:row 2, column 10.583")
    overlay(page, "wide").click(position=place)
    expect_events(page, "wide 13, wide None")
    sync_api.expect(readout).to_have_text("Strongest:row 3, column 51.00")


def test_the_keyboard_moves_and_chooses(page: sync_api.Page) -> None:
    overlay(page, "wide").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "End", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    sync_api.expect(within(page, "wide", ".tooltip")).to_contain_text("patch row 2, column 4 · ")
    page.keyboard.press("Enter")
    expect_events(page, "wide 16")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect_events(page, "wide 16, wide 10")
    page.keyboard.press("Enter")
    expect_events(page, "wide 16, wide 10, wide None")
    page.keyboard.press("Escape")
    sync_api.expect(within(page, "wide", ".tooltip")).to_be_hidden()


def test_it_keeps_the_images_shape_and_tells_the_strongest_patch(page: sync_api.Page) -> None:
    for name, ratio in (("wide", 1.5), ("scene", 1), ("one", 2 / 3)):
        box = overlay(page, name).bounding_box()
        assert box
        assert box["width"] / box["height"] == pytest.approx(ratio, rel=0.01)
    label = overlay(page, "scene").get_attribute("aria-label") or ""
    assert "24 by 24 patches, by attention. Strongest: patch row 17, column 5 · attention 0.0412." in label
    legend = within(page, "signed", ".legend")
    sync_api.expect(legend).to_have_text("−2.50+2.50logits")
    sync_api.expect(within(page, "wide", ".legend")).to_have_text("01.00attention · plain image: no value")


@pytest.mark.parametrize("width", [480, 900])
def test_nothing_is_wider_than_its_column(page: sync_api.Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    scripted = """() => [...document.querySelectorAll("[data-testid=stColumn]")].every(
        column => column.scrollWidth <= column.clientWidth)"""
    page.wait_for_function(scripted)
    box = page.get_by_test_id("image-overlay").last.bounding_box()
    assert box
    assert box["x"] + box["width"] <= width
