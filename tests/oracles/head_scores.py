"""Head scores by the definitions of the design's table, in plain loops over eager attention."""

import math
from collections.abc import Callable

import numpy as np

Score = Callable[[np.ndarray, bool], float]


def _visible(n_tokens: int, query: int, causal: bool) -> list[int]:
    return list(range(query + 1)) if causal else list(range(n_tokens))


def entropy(weights: np.ndarray, causal: bool) -> float:
    found = []
    for q, row in enumerate(weights):
        keys = _visible(len(weights), q, causal)
        if len(keys) > 1:
            bits = sum(-float(row[k]) * math.log(float(row[k])) for k in keys if row[k] > 0)
            found.append(bits / math.log(len(keys)))
    return sum(found) / len(found)


def distance(weights: np.ndarray, causal: bool) -> float:
    total = 0.0
    for q, row in enumerate(weights):
        for k, weight in enumerate(row):
            total += float(weight) * abs(q - k)
    return total / len(weights)


def first_token(weights: np.ndarray, causal: bool) -> float:
    found = [float(weights[q][0]) for q in range(1, len(weights))]
    return sum(found) / len(found)


def previous_token(weights: np.ndarray, causal: bool) -> float:
    found = [float(weights[q][q - 1]) for q in range(1, len(weights))]
    return sum(found) / len(found)


ORACLES: dict[str, Score] = {
    "entropy": entropy,
    "distance": distance,
    "first_token": first_token,
    "previous_token": previous_token,
}
