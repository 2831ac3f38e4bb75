"""Patches over an image: what is sent, what is read out where, and the colours that really stand on the canvas."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Gallery, expect_events
from PIL import Image
from playwright import sync_api

from components import image_overlay
from components.wire import unpack

SCENE = np.asarray(Image.open(Path(__file__).parents[2] / "dashboard" / "data" / "scene.png").convert("RGB"))
GREY = np.full((200, 300, 3), 128, np.uint8)
WIDE = np.arange(1, 25).reshape(4, 6) / 24  # patch (1, 2) is NaN
NAMES = ("wide", "scene", "signed", "one", "thin", "plain", "nothing", "tiny")
# Ends and middle of viridis as matplotlib publishes it; the two ends of the diverging scale, light and dark.
YELLOW, TEAL = (253, 231, 37), (33, 145, 140)
BROWN, ORANGE = (140, 81, 10), (226, 160, 74)
COUNT_DECODED = (
    "const decode = createImageBitmap; window.decoded = 0;"
    "window.createImageBitmap = file => { window.decoded++; return decode(file); }"
)
PIXEL = """(node, [x, y]) => {
    const base = node.parentElement.querySelector(".base");
    const at = [Math.floor(x * base.width), Math.floor(y * base.height)];
    return [...base.getContext("2d").getImageData(...at, 1, 1).data.slice(0, 3)];
}"""


def decoded(payload: bytes) -> tuple[dict[str, Any], np.ndarray, Image.Image]:
    header, rest = unpack(payload)
    count = header["grid"][0] * header["grid"][1]
    values = np.frombuffer(rest, "<f4", count).reshape(header["grid"])
    return header, values, Image.open(BytesIO(rest[4 * count :]))


def test_values_travel_exactly_and_a_small_image_too() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    values = np.array([[0.1, np.nan, 0.3], [0, 0.5, 0.25]])
    header, sent, picture = decoded(image_overlay.build(image, values, selected=5, maximum=0.5, palette="magma"))
    np.testing.assert_array_equal(sent, values.astype("f4"))
    np.testing.assert_array_equal(np.asarray(picture), image)
    assert (header["size"], header["grid"], header["selected"], header["palette"]) == ([30, 20], [2, 3], 5, "magma")


def test_a_photograph_is_scaled_and_stays_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)  # as large as it can get
    assert len(image_overlay.build(noise, np.zeros((64, 64)))) < 300_000
    header, _, picture = decoded(image_overlay.build(np.repeat(GREY[:100], 10, axis=1), None))
    assert (header["size"], picture.size, picture.format) == ([17, 512], (512, 17), "PNG")
    header, _, picture = decoded(image_overlay.build(np.tile(GREY, (5, 5, 1)), [[1.0]]))
    assert (header["size"], picture.size, picture.format) == ([341, 512], (512, 341), "JPEG")
    np.testing.assert_array_equal(np.asarray(picture), 128)


def test_one_image_has_one_name_whatever_the_values() -> None:
    names = [
        decoded(image_overlay.build(image, values))[0]["image"]
        for image, values in ((SCENE, [[0.1]]), (SCENE, np.ones((14, 14))), (SCENE[::-1], [[0.1]]))
    ]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"image": GREY / 255}, r"uint8 \[height, width, 3\]; got float64"),
        ({"image": GREY[..., 0]}, r"uint8 \[height, width, 3\]"),
        ({"image": GREY[:0]}, r"got uint8 of shape \(0, 300, 3\)"),
        ({"values": np.zeros(4)}, "2 axes"),
        ({"values": np.zeros((0, 4))}, "at least one value"),
        ({"values": np.full((2, 2), np.inf)}, "infinite"),
        ({"values": np.zeros((129, 2))}, "at most 128 patches a side"),
        ({"values": np.full((2, 2), -0.5)}, "starts at 0; the smallest value is -0.5"),
        ({"maximum": 0.0}, "positive"),
        ({"maximum": float("nan")}, "positive"),
        ({"selected": 4}, "selected patch"),
        ({"values": None, "selected": 0}, "selected patch"),
        ({"opacity": 101}, "opacity"),
        ({"scale": "log"}, "scale is one of"),
        ({"palette": "jet"}, "palette is one of"),
    ],
)
def test_it_refuses(change: dict[str, Any], cause: str) -> None:
    arguments: dict[str, Any] = {"image": GREY, "values": np.zeros((2, 2))} | change
    with pytest.raises(ValueError, match=cause):
        image_overlay.build(arguments.pop("image"), arguments.pop("values"), **arguments)


@pytest.mark.parametrize(
    ("sent", "expected"), [(None, None), (7, 7), (7.0, 7), (-1, None), ("7", None), (True, None), ([], None)]
)
def test_events_are_checked(sent: object, expected: int | None) -> None:
    assert image_overlay._event(sent) == expected


@pytest.fixture(scope="module")
def gallery(serve: Callable[..., Gallery]) -> Gallery:
    n_images = len(NAMES)
    return serve(
        "overlay_gallery_app.py",
        {"image-overlay": n_images},
        script=COUNT_DECODED,
        until=f"window.decoded >= {n_images}",
    )


def overlay(page: sync_api.Page, name: str) -> sync_api.Locator:
    return page.get_by_test_id("image-overlay").nth(NAMES.index(name))


def within(page: sync_api.Page, name: str, selector: str) -> sync_api.Locator:
    """A part of the component of that name."""
    return page.locator(".image-overlay").nth(NAMES.index(name)).locator(selector)


def patch(page: sync_api.Page, name: str, grid: tuple[int, int], row: int, column: int) -> dict[str, float]:
    box = overlay(page, name).bounding_box()
    assert box
    return {"x": (column + 0.5) / grid[1] * box["width"], "y": (row + 0.5) / grid[0] * box["height"]}


def expect_pixel(page: sync_api.Page, name: str, place: tuple[float, float], colour: Any, off: float = 3) -> None:
    """Waits until a place of the canvas (a share of its width and height) has this colour."""
    for _ in range(100):
        found = overlay(page, name).evaluate(PIXEL, place)
        if np.abs(np.subtract(found, colour)).max() <= off:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{name} at {place} is {found}, not {colour}")


def over(below: Any, above: Any, share: float) -> Any:
    return np.multiply(below, 1 - share) + np.multiply(above, share)


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


def test_patches_are_tinted_by_their_value_and_nan_is_plain(page: sync_api.Page) -> None:
    expect_pixel(page, "wide", (11.5 / 12, 7 / 8), over(128, YELLOW, 0.7))
    expect_pixel(page, "wide", (11 / 12, 3 / 8), over(128, TEAL, 0.35))
    for x, y in ((5 / 12, 3 / 8), (4.1 / 12, 2.1 / 8), (5.9 / 12, 3.9 / 8)):
        expect_pixel(page, "wide", (x, y), (128,) * 3, 1)
    expect_pixel(page, "nothing", (0.3, 0.3), (128,) * 3, 1)
    expect_pixel(page, "one", (0.5, 0.5), over(128, TEAL, 0.35))


def test_without_strength_or_values_the_image_is_plain(page: sync_api.Page) -> None:
    for name in ("wide", "signed", "tiny"):
        within(page, name, "input[type=range]").fill("0")
        sync_api.expect(within(page, name, "output")).to_have_text("0\u00a0%")
    expect_pixel(page, "wide", (11.5 / 12, 7 / 8), (128,) * 3, 1)
    expect_pixel(page, "tiny", (0.5 / 8, 0.5 / 8), (250, 200, 20), 0)
    expect_pixel(page, "tiny", (1.5 / 8, 0.5 / 8), (0, 0, 0), 0)
    for row, column in [(40, 44), (100, 127), (190, 190), (12, 10)]:  # the sun, the roof, grass, the sky
        place = ((column + 0.5) / 224, (row + 0.5) / 224)
        expect_pixel(page, "plain", place, SCENE[row, column], 8)
        expect_pixel(page, "signed", place, SCENE[row, column], 8)
    sync_api.expect(within(page, "plain", "input:visible")).to_have_count(0)
    sync_api.expect(overlay(page, "plain")).to_have_attribute("role", "img")


def test_smooth_blends_between_centres_and_blocks_are_the_default(page: sync_api.Page) -> None:
    gold, smooth = (250, 200, 20), within(page, "tiny", "input[type=checkbox]")
    sync_api.expect(smooth).not_to_be_checked()
    sync_api.expect(within(page, "tiny", "label[title]")).to_have_attribute("title", "Blends the values in straight "
        "lines between the patches' centres. The blocks are the exact values.")  # fmt: skip
    right_of_first = (0.252, 0.125)  # patch (0, 0) is 1, its neighbour 0: in the middle between the centres 0.5
    expect_pixel(page, "tiny", right_of_first, gold, 0)
    smooth.check()
    expect_pixel(page, "tiny", right_of_first, over(gold, TEAL, 0.2), 5)
    smooth.uncheck()
    expect_pixel(page, "tiny", right_of_first, gold, 0)
    within(page, "wide", "input[type=checkbox]").check()
    expect_pixel(page, "wide", (5 / 12, 3 / 8), (128,) * 3, 1)
    expect_pixel(page, "wide", (11.9 / 12, 7.9 / 8), over(128, YELLOW, 0.7))


def test_a_redraw_keeps_the_readers_settings_and_shows_new_values(page: sync_api.Page) -> None:
    within(page, "wide", "input[type=range]").fill("100")
    within(page, "wide", "input[type=checkbox]").check()
    count = page.evaluate("window.decoded")
    page.get_by_text("Other values").click()
    expect_pixel(page, "wide", (0.01, 0.01), YELLOW)
    sync_api.expect(within(page, "wide", ".readout")).to_have_text("Strongest:row 0, column 01.00")
    sync_api.expect(within(page, "wide", "output")).to_have_text("100\u00a0%")
    sync_api.expect(within(page, "wide", "input[type=checkbox]")).to_be_checked()
    assert page.evaluate("window.decoded") == count  # the same image is not decoded again
    page.get_by_text("Another image").click()
    expect_pixel(page, "wide", (44.5 / 224, 40.5 / 224), SCENE[40, 44], 8)
    box = overlay(page, "wide").bounding_box()
    assert box
    assert box["width"] == box["height"]


@pytest.mark.parametrize(
    ("page", "end", "shade"),
    [({"scheme": "light"}, BROWN, "rgb(252, 252, 253)"), ({"scheme": "dark"}, ORANGE, "rgb(20, 22, 29)")],
    indirect=["page"],
    ids=["light", "dark"],
)
def test_it_follows_the_theme(page: sync_api.Page, end: tuple[int, int, int], shade: str) -> None:
    place = (20.5 / 24, 7.5 / 24)
    expect_pixel(page, "signed", place, over(overlay(page, "plain").evaluate(PIXEL, place), end, 0.7))
    overlay(page, "one").hover()
    style = "node => getComputedStyle(node).backgroundColor"
    assert within(page, "one", ".tooltip").evaluate(style) == shade


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
