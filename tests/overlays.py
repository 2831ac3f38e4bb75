"""The gallery of patches over images: where each is, and which colours stand there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from browser import Gallery
from PIL import Image
from playwright import sync_api

SCENE = np.asarray(Image.open(Path(__file__).parents[1] / "dashboard" / "data" / "scene.png").convert("RGB"))
NAMES = ("wide", "scene", "signed", "one", "thin", "plain", "nothing", "tiny")
COUNT_DECODED = (
    "const decode = createImageBitmap; window.decoded = 0;"
    "window.createImageBitmap = file => { window.decoded++; return decode(file); }"
)
PIXEL = """(node, [x, y]) => {
    const base = node.parentElement.querySelector(".base");
    const at = [Math.floor(x * base.width), Math.floor(y * base.height)];
    return [...base.getContext("2d").getImageData(...at, 1, 1).data.slice(0, 3)];
}"""


def serve_overlays(serve: Callable[..., Gallery]) -> Gallery:
    """Starts the gallery; its pages count the images that they decode."""
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
