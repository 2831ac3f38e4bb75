"""Each payload holds what it was given, and what cannot be drawn is refused with the cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.choice_bars import choice_bars
from components.choice_bars.choice_bars import Choice
from components.head_map import head_map
from components.heat_map import heat_map
from components.heat_map.heat_map import Axis
from components.token_strip import token_strip
from components.tokens import TokenLabel
from components.wire import unpack

WORDS = [
    TokenLabel("The"),
    TokenLabel("capital", space=True),
    TokenLabel("<script>alert(1)</script>"),
    TokenLabel("↵"),
]


def axis(n: int, covers: int = 1) -> Axis:
    return Axis([WORDS[i % 4] for i in range(n)], np.arange(0, (n + 1) * covers, covers))


def floats(payload: bytes) -> np.ndarray:
    return np.frombuffer(payload, dtype="<f4")


def test_heat_map_sends_exact_weights_with_their_tokens() -> None:
    weights = np.array([[1, np.nan], [0.4127, 0.5873], [0.1, 0.9]])
    header, payload = unpack(
        heat_map.build(weights, query=axis(3, 8), key=axis(2), pooling="max", pinned=9, scale="log")
    )
    np.testing.assert_array_equal(floats(payload).reshape(header["shape"]), weights.astype("f4"))
    assert header["query"]["edges"] == [0, 8, 16, 24]
    assert header["query"]["text"][2] == "<script>alert(1)</script>"
    assert (header["pooling"], header["scale"], header["pinned"], header["maximum"]) == (
        "max",
        "log",
        9,
        None,
    )


def test_differences_may_be_negative_and_maps_can_be_linked() -> None:
    change = np.array([[-0.2, np.nan], [0.1, 0]])
    header, payload = unpack(
        heat_map.build(change, query=axis(2), key=axis(2), scale="diverging", group="a", compact=True)
    )
    np.testing.assert_array_equal(floats(payload).reshape(2, 2), change.astype("f4"))
    assert (header["scale"], header["group"], header["compact"]) == ("diverging", "a", True)


def test_a_heat_map_of_256_pixels_a_side_stays_small() -> None:
    weights = np.random.default_rng(0).random((256, 256))
    assert len(heat_map.build(weights, query=axis(256, 8), key=axis(256, 8), pooling="max")) <= 280_000


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"values": np.zeros(3)}, "2 axes"),
        ({"values": np.zeros((0, 2))}, "at least one value"),
        ({"values": np.full((3, 2), -0.1)}, "not negative"),
        ({"values": np.full((3, 2), np.inf)}, "infinite"),
        ({"values": np.zeros((513, 2))}, "pool"),
        ({"query": axis(2)}, "query axis has 3 pixels"),
        ({"key": Axis(WORDS[:2], np.array([0, 1]))}, "one more edge"),
        ({"key": Axis(WORDS[:2], np.array([0, 2, 2]))}, "increasing"),
        ({"scale": "cubic"}, "scale is one of"),
        ({"palette": "jet"}, "palette is one of"),
        ({"pooling": "sum"}, "pooling is one of"),
        ({"shared_maximum": 0.0}, "positive"),
    ],
)
def test_heat_map_refuses(change: dict[str, Any], cause: str) -> None:
    arguments: dict[str, Any] = {"values": np.zeros((3, 2)), "query": axis(3), "key": axis(2)} | change
    with pytest.raises(ValueError, match=cause):
        heat_map.build(arguments.pop("values"), **arguments)


def test_head_map_keeps_values_and_gaps() -> None:
    scores = np.array([[0.1, 0.2], [np.nan, np.nan]])
    payload = head_map.build(scores, selected=(0, None), score_name="entropy", low=0, high=1)
    header, numbers = unpack(payload)
    np.testing.assert_array_equal(floats(numbers).reshape(header["shape"]), scores.astype("f4"))
    assert header["selected"] == [0, -1]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"selected": (2, 0)}, "selected layer"),
        ({"selected": (0, 2)}, "selected head"),
        ({"low": 1.0}, "low must be below high"),
        ({"values": np.zeros((2, 2, 2))}, "2 axes"),
    ],
)
def test_head_map_refuses(change: dict[str, Any], cause: str) -> None:
    arguments: dict[str, Any] = {
        "values": np.zeros((2, 2)),
        "selected": (0, 0),
        "score_name": "s",
        "low": 0.0,
        "high": 1.0,
    }
    arguments |= change
    with pytest.raises(ValueError, match=cause):
        head_map.build(arguments.pop("values"), **arguments)


def test_token_strip_keeps_values_and_gaps() -> None:
    header, numbers = unpack(token_strip.build(WORDS, [0.5, -0.25, np.nan, 0], maximum=0.5, selected=3, marked=[3]))
    np.testing.assert_array_equal(floats(numbers), np.array([0.5, -0.25, np.nan, 0], "f4"))
    assert header["tokens"]["text"][2] == "<script>alert(1)</script>"
    assert (header["selected"], header["marked"]) == (3, [3])


def test_token_strip_without_values_has_no_payload() -> None:
    assert unpack(token_strip.build(WORDS, None))[1] == b""


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"tokens": []}, "1 to"),
        ({"values": np.zeros(3)}, "4 tokens need as many values"),
        ({"maximum": 0.0}, "positive"),
        ({"selected": 4}, "selected token"),
        ({"marked": [-1]}, "marked token"),
        ({"scale": "log"}, "scale is one of"),
    ],
)
def test_token_strip_refuses(change: dict[str, Any], cause: str) -> None:
    arguments: dict[str, Any] = {"tokens": WORDS, "values": np.zeros(4)} | change
    with pytest.raises(ValueError, match=cause):
        token_strip.build(arguments.pop("tokens"), arguments.pop("values"), **arguments)


def test_choice_bars_keep_order_and_numbers() -> None:
    choices = [Choice(WORDS[2], 0.773, 18.4), Choice(WORDS[0], 0.1, -3.0)]
    header, payload = unpack(choice_bars.build(choices, selected=1, against=0, caption="Next token"))
    assert (header["probabilities"], header["logits"], payload) == ([0.773, 0.1], [18.4, -3.0], b"")
    assert (header["selected"], header["against"], header["contrast"]) == (1, 0, True)
    assert not unpack(choice_bars.build(choices, selected=1, contrast=False))[0]["contrast"]


def test_choice_bars_refuse() -> None:
    with pytest.raises(ValueError, match="at least one"):
        choice_bars.build([], selected=0)
    with pytest.raises(ValueError, match="selected choice"):
        choice_bars.build([Choice(WORDS[0], 0.5, 0.0)], selected=1)
    with pytest.raises(ValueError, match="choice to compare with"):
        choice_bars.build([Choice(WORDS[0], 0.5, 0.0)], selected=0, against=1)
    with pytest.raises(ValueError, match="probability"):
        Choice(WORDS[0], 1.2, 0.0)
    with pytest.raises(ValueError, match="logit"):
        Choice(WORDS[0], 0.2, float("nan"))


@pytest.mark.parametrize(
    ("pin", "zoom", "expected"),
    [
        (None, None, (None, None)),
        (4, None, (4, None)),
        (-1, None, (heat_map.UNPIN, None)),
        (None, [], (None, ())),
        (None, [0, 5, 1, 3], (None, (0, 5, 1, 3))),
        ("4", [0, "x", 1, 2], (None, None)),
        (True, [1, 2], (None, None)),
    ],
)
def test_heat_map_events_are_checked(pin: object, zoom: object, expected: tuple[Any, Any]) -> None:
    assert heat_map._event(pin, zoom) == expected
