"""The neuron view's numbers: strongest keys first, and the products sum to the score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.query_key import query_key
from components.tokens import TokenLabel
from components.wire import unpack

WORDS = [TokenLabel(text) for text in ("The", "</script>", "🦙")]
QUERY, KEYS = np.array([1.0, -2.0]), np.array([[1.0, 0.5], [0.0, -1.0], [3.0, 1.0]])
SCORES, WEIGHTS = np.array([0, 1, np.nan]), np.array([0.27, 0.73, np.nan])


def build(**change: Any) -> bytes:
    given = {"tokens": WORDS, "query_index": 1, "query": QUERY, "keys": KEYS, "scores": SCORES, "weights": WEIGHTS}
    return query_key.build(**({**given, "scale": 0.5, **change}))


def test_the_strongest_visible_keys_come_first_with_their_vectors() -> None:
    header, payload = unpack(build())
    assert header["indices"] == [1, 0]
    assert header["tokens"]["text"] == ["</script>", "The"]
    assert header["hidden"] == pytest.approx(0, abs=1e-6)
    numbers = np.frombuffer(payload, "<f4")
    np.testing.assert_allclose(numbers, [1, -2, 0, -1, 1, 0.5, 1, 0, 0.73, 0.27], rtol=1e-6)
    vectors, scores = numbers[:6].reshape(3, 2), numbers[6:8]
    np.testing.assert_allclose(vectors[1:] @ vectors[0] * header["scale"], scores)


def test_what_is_not_shown_is_counted() -> None:
    header, _ = unpack(build(top=1))
    assert header["indices"] == [1]
    assert header["hidden"] == pytest.approx(0.27, abs=1e-6)
    assert header["n_keys"] == 2


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"keys": KEYS[:, :1]}, "need keys"),
        ({"scores": SCORES[:2]}, "as many scores"),
        ({"weights": np.full(3, np.nan)}, "no key is visible"),
        ({"query": np.array([1.0, np.nan])}, "NaN"),
        ({"query_index": 3}, "query_index"),
        ({"scale": 0.0}, "scale"),
        ({"top": 65}, "1 to 64"),
    ],
)
def test_query_key_refuses(change: dict[str, Any], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        build(**change)
