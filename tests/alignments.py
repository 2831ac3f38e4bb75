"""Two sentences and how strongly their words attend: for the gallery that draws them and the tests that know better."""

from __future__ import annotations

import numpy as np

from components.tokens import TokenLabel

ENGLISH = "The committee has not yet agreed on a new"
GERMAN = "Der Ausschuss hat sich noch nicht auf ein neues"
TEXT = (
    "When Mary and John went to the store on Sunday morning , John gave a bottle of milk to the very kind woman behind "
    "the counter . She thanked him , counted the money twice and asked whether he would come again tomorrow ."
)
SOURCE = [
    *[TokenLabel(word, space=True) for word in ENGLISH.split()],
    TokenLabel("<script>window.attacked = 1</script>", space=True),
    TokenLabel("."),
    TokenLabel("</s>", special=True),
]
TARGET = [
    TokenLabel("<pad>", special=True),
    *[TokenLabel(word, space=True) for word in GERMAN.split()],
    TokenLabel("<b>Skript</b>", space=True),
    TokenLabel("geeinigt", space=True),
    TokenLabel("."),
]
# For each target word the source words that a translation model attends to.
ALIGNED = [(11,), (0,), (1,), (2, 5), (5, 2, 6), (4,), (3, 4), (6,), (7,), (8,), (9,), (5, 2), (10,)]


def weights() -> np.ndarray:
    """[target, source], rows that sum to 1; one row of NaN, one with a tie, one with a gap."""
    found = np.full((len(TARGET), len(SOURCE)), 0.01)
    for target, sources in enumerate(ALIGNED):
        for rank, source in enumerate(sources):
            found[target, source] = 0.9 / (1 + rank) ** 2
    found[6, 3] = found[6, 4] = 0.4
    found /= found.sum(axis=1, keepdims=True)
    found[0] = np.nan
    found[2, 9] = np.nan
    return found


def long_weights(n_target: int, n_source: int) -> np.ndarray:
    """A path near the diagonal, with noise."""
    target, source = np.indices((n_target, n_source))
    noise = np.random.default_rng(0).normal(size=(n_target, n_source))
    found = np.exp(-((source - target * n_source / n_target - 4 * np.sin(target)) ** 2) / 6 + noise)
    return found / found.sum(axis=1, keepdims=True)


def strongest_by_hand(weights: np.ndarray) -> list[int]:
    """Each row's first largest weight, word by word."""
    found = []
    for row in weights:
        best = -1
        for source, weight in enumerate(row):
            if not np.isnan(weight) and (best < 0 or weight > row[best]):
                best = source
        found.append(best)
    return found
