"""The classification report, beside figures counted text by text and intervals by SciPy."""

import random

import numpy as np
import pytest
from scipy.stats import binomtest

from dashboard.training.report import make_report


def counted(true: list[int], found: list[int], n_classes: int) -> list[tuple[float, float, float, int]]:
    """Precision, recall, F1 and support of each class, by asking every text."""
    figures = []
    for one in range(n_classes):
        hits = misses = wrong = 0
        for is_so, called in zip(true, found, strict=True):
            hits += is_so == one and called == one
            misses += is_so == one and called != one
            wrong += is_so != one and called == one
        precision = hits / (hits + wrong) if hits + wrong else 0.0
        recall = hits / (hits + misses) if hits + misses else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        figures.append((precision, recall, f1, hits + misses))
    return figures


@pytest.mark.parametrize("seed", range(20))
def test_figures_are_those_counted_text_by_text(seed: int) -> None:
    order = random.Random(seed)
    n_classes, n_texts = order.randint(2, 6), order.randint(1, 80)
    true, found = ([order.randrange(n_classes) for _ in range(n_texts)] for _ in range(2))
    report = make_report([str(i) for i in range(n_classes)], true, found)
    expected = counted(true, found, n_classes)
    shown = [(one.precision, one.recall, one.f1, one.support) for one in report.classes]
    np.testing.assert_allclose(shown, expected)
    right = sum(a == b for a, b in zip(true, found, strict=True))
    assert report.accuracy == right / n_texts
    assert report.macro_f1 == pytest.approx(sum(f1 for _, _, f1, _ in expected) / n_classes)
    assert report.commonest == max(true.count(i) for i in range(n_classes)) / n_texts
    low, high = binomtest(right, n_texts).proportion_ci(method="wilson")
    assert report.interval == pytest.approx((low, high), abs=1e-7)
    assert np.array(report.confusion).sum() == n_texts == report.n_texts
    assert all(
        report.confusion[a][b] == sum(pair == (a, b) for pair in zip(true, found, strict=True))
        for a in range(n_classes)
        for b in range(n_classes)
    )


def test_the_table_says_them() -> None:
    said = str(make_report(["bad", "good"], [0, 0, 0, 1], [0, 0, 1, 1]))
    assert [line.split() for line in said.splitlines()[:4]] == [
        ["precision", "recall", "F1", "texts"],
        ["bad", "1.000", "0.667", "0.800", "3"],
        ["good", "0.500", "1.000", "0.667", "1"],
        ["macro", "mean", "0.750", "0.833", "0.733", "4"],
    ]
    assert "accuracy 75.0% on 4 held-out texts" in said
    assert "always the commonest class: 75.0%" in said
