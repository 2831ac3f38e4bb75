"""The payloads of the Heads page's components hold what they were given; what cannot be drawn is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.head_atlas import head_atlas
from components.wire import unpack

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
FACTS = np.array([[[0.5], [np.nan], [1]], [[2], [3], [4]]])


def test_the_atlas_sends_facts_and_then_thumbnails() -> None:
    header, payload = unpack(
        head_atlas.build(
            PIXELS, selected=(1, 2), compared=[(0, 1)], facts=FACTS, fact_names=[("entropy", "")], groups=3
        )
    )
    np.testing.assert_array_equal(np.frombuffer(payload, "<f4", 6).reshape(2, 3, 1), FACTS)
    np.testing.assert_array_equal(np.frombuffer(payload, "u1", offset=24).reshape(header["shape"]), PIXELS)
    assert (header["selected"], header["compared"], header["places"], header["groups"]) == ([1, 2], [[0, 1]], None, 3)


def test_an_atlas_of_1024_heads_stays_below_5_megabytes() -> None:
    assert len(head_atlas.build(np.ones((32, 32, 64, 64), np.uint8))) < 5_000_000


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"thumbnails": PIXELS.astype("f4")}, "uint8"),
        ({"thumbnails": PIXELS[0]}, "uint8"),
        ({"thumbnails": np.zeros((64, 64, 64, 64), np.uint8)}, "44 pixels a side"),
        ({"selected": (2, 0)}, "selected layer"),
        ({"selected": (0, -1)}, "selected head"),
        ({"compared": [(0, 3)]}, "compared head"),
        ({"compared": [(0, 0), (0, 0)]}, "different heads"),
        ({"compared": [(0, 0)] * 9}, "at most 8"),
        ({"places": []}, "at least one"),
        ({"places": [(0, 0), (0, 0)]}, "none twice"),
        ({"places": [(5, 0)]}, "shown layer"),
        ({"facts": FACTS}, "facts need the shape"),
        ({"fact_names": [("entropy", "")]}, "facts need the shape"),
        ({"groups": 0}, "groups"),
        ({"palette": "jet"}, "palette is one of"),
        ({"pooling": "sum"}, "pooling is one of"),
    ],
)
def test_the_atlas_refuses(change: dict[str, Any], cause: str) -> None:
    arguments: dict[str, Any] = {"thumbnails": PIXELS} | change
    with pytest.raises(ValueError, match=cause):
        head_atlas.build(arguments.pop("thumbnails"), **arguments)


@pytest.mark.parametrize("value", [None, [1], [1, "x"], [True, 1], "12", [1, 2, 3]])
def test_the_atlas_checks_what_the_browser_says(value: object) -> None:
    assert head_atlas._head(value) is None
