"""Patches over an image: what is sent, and what is refused."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from overlays import SCENE
from PIL import Image

from components.image_overlay import image_overlay
from components.wire import unpack

GREY = np.full((200, 300, 3), 128, np.uint8)


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
