"""Jensen–Shannon divergence by its definition, one term at a time in float64."""

import math

import numpy as np


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """½ KL(p ‖ m) + ½ KL(q ‖ m) with m their mean, base 2; what lacks to 1 is one more key."""
    first, second = [float(x) for x in p], [float(x) for x in q]
    first.append(max(0.0, 1 - sum(first)))
    second.append(max(0.0, 1 - sum(second)))
    total = 0.0
    for a, b in zip(first, second, strict=True):
        m = (a + b) / 2
        total += (a * math.log2(a / m) if a > 0 else 0.0) / 2
        total += (b * math.log2(b / m) if b > 0 else 0.0) / 2
    return total


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """1 − mean divergence of the rows of two heads [query, key]."""
    return 1 - sum(jensen_shannon(p, q) for p, q in zip(first, second, strict=True)) / len(first)


def spearman(first: list[float], second: list[float]) -> float:
    """Pearson correlation of ranks, for values without ties."""
    ranks = [[sorted(values).index(value) for value in values] for values in (first, second)]
    n = len(first)
    squares = sum((a - b) ** 2 for a, b in zip(*ranks, strict=True))
    return 1 - 6 * squares / (n * (n * n - 1))
