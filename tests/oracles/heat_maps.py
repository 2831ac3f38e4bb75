"""Heat maps cell by cell: hide keys, renormalise, join words, pool."""

import numpy as np


def hide(weights: np.ndarray, hidden: list[bool]) -> tuple[np.ndarray, float]:
    """Rows without the hidden keys, scaled back to 1, and the mean share that was hidden."""
    result, shares = weights.astype(np.float64).copy(), []
    for q, row in enumerate(result):
        shares.append(sum(w for w, h in zip(row, hidden, strict=True) if h))
        left = sum(w for w, h in zip(row, hidden, strict=True) if not h)
        for k, h in enumerate(hidden):
            row[k] = 0.0 if h else row[k] / left if left > 0 else 0.0
        result[q] = row
    return result, sum(shares) / len(shares)


def join_words(weights: np.ndarray, words: list[int]) -> np.ndarray:
    """Sum over the parts of a key word, mean over the parts of a query word."""
    n_words = max(words) + 1
    joined = np.zeros((n_words, n_words))
    for qw in range(n_words):
        parts = [q for q, word in enumerate(words) if word == qw]
        for kw in range(n_words):
            joined[qw, kw] = sum(
                sum(float(weights[q, k]) for k, word in enumerate(words) if word == kw) for q in parts
            ) / len(parts)
    return joined


def pool(weights: np.ndarray, visible: np.ndarray, step: int, how: str) -> np.ndarray:
    """Largest or mean visible weight of each block of step × step; NaN where nothing is visible."""
    side = -(-len(weights) // step)
    pooled = np.full((side, side), np.nan)
    for i in range(side):
        for j in range(side):
            cells = [
                float(weights[q, k])
                for q in range(i * step, min((i + 1) * step, len(weights)))
                for k in range(j * step, min((j + 1) * step, len(weights)))
                if visible[q, k]
            ]
            if cells:
                pooled[i, j] = max(cells) if how == "max" else sum(cells) / len(cells)
    return pooled
