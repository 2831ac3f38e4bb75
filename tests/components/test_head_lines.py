"""Head lines: the strongest weights become lines, sentences filter them, and what cannot be drawn is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.head_lines import head_lines
from components.head_lines.head_lines import Lines
from components.tokens import TokenLabel
from components.wire import unpack

WORDS = [TokenLabel(text) for text in ("The", "</script>", "🦙")]
WEIGHTS = np.array(
    [[[1, 0, 0], [0.4, 0.6, 0], [0.2, 0.3, 0.5]], [[1, np.nan, np.nan], [1, 0, np.nan], [0.1, 0.8, 0.1]]]
)
HEADS = [("L0 H0", 0), ("L5 H1", 3)]


def sent(payload: bytes) -> tuple[dict[str, Any], list[tuple[int, int, int, float]]]:
    """The header, and each line as head, query, key, weight."""
    header, body = unpack(payload)
    n = header["n_lines"]
    assert len(body) == 13 * n
    weight, query, key = (np.frombuffer(body, kind, n, 4 * n * at) for at, kind in enumerate(("<f4", "<u4", "<u4")))
    head = np.frombuffer(body, "u1", n, 12 * n)
    return header, list(zip(head.tolist(), query.tolist(), key.tolist(), weight.round(4).tolist(), strict=True))


def test_the_strongest_lines_are_found_one_by_one() -> None:
    expected = []
    for head in range(2):
        for query in range(3):
            row = [(weight, -key) for key, weight in enumerate(WEIGHTS[head, query]) if weight > 0]
            expected += [(head, query, -key, weight) for weight, key in sorted(row, reverse=True)[:2]]
    lines = head_lines.strongest(WEIGHTS, 2)
    found = list(zip(lines.head, lines.query, lines.key, lines.weight.astype(float).round(4), strict=True))
    assert found == expected
    header, travelled = sent(head_lines.build(WORDS, WORDS, lines, heads=HEADS, pinned=2))
    assert [line[:3] for line in travelled] == [line[:3] for line in expected]
    np.testing.assert_allclose([line[3] for line in travelled], [line[3] for line in expected], atol=1e-6)
    assert (header["queries"]["text"][1], header["pinned"], header["heads"][1]) == ("</script>", 2, ["L5 H1", 3])


def test_only_lines_from_one_sentence_to_another() -> None:
    lines = head_lines.strongest(WEIGHTS, 3)
    sides = {"query_segments": [0, 0, 1], "key_segments": [0, -1, 1]}
    header, travelled = sent(head_lines.build(WORDS, WORDS, lines, heads=HEADS, segment="B→A", **sides))
    assert {(query, key) for _, query, key, _ in travelled} == {(2, 0)}
    assert header["shown"] == [[0, 0, 1], [1, 0, 0]]


LINES = Lines(np.array([0]), np.array([1]), np.array([0]), np.array([0.5]))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"queries": []}, "1 to"),
        ({"heads": []}, "heads are drawn together"),
        ({"heads": [("a", 8)]}, "colour"),
        ({"lines": LINES._replace(query=np.array([3]))}, "query is outside"),
        ({"lines": LINES._replace(key=np.array([-1]))}, "key is outside"),
        ({"lines": LINES._replace(head=np.array([1]))}, "head is outside"),
        ({"lines": LINES._replace(weight=np.array([0.0]))}, "above 0"),
        ({"lines": LINES._replace(weight=np.array([0.5, 0.5]))}, "one length"),
        ({"segment": "A→B"}, "needs query_segments"),
        ({"segment": "C→A"}, "segment is one of"),
        ({"query_segments": [0, 1]}, "for each of 3 tokens"),
        ({"pinned": 3}, "pinned query"),
    ],
)
def test_head_lines_refuse(change: dict[str, Any], cause: str) -> None:
    given: dict[str, Any] = {"queries": WORDS, "keys": WORDS, "lines": LINES, "heads": [("L0 H0", 0)]} | change
    with pytest.raises(ValueError, match=cause):
        head_lines.build(given.pop("queries"), given.pop("keys"), given.pop("lines"), **given)


def test_strongest_needs_a_line() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        head_lines.strongest(WEIGHTS, 0)
