"""What a model says as tokens go, in the order that an attribution gives them: the points of every measure here.

Tokens that the model is not meant to run without (`Question.protected`) always stay; the others are the players. The
order is that of the scores as given, highest first: a signed method's negative scores speak against the target and go
last, an unsigned method's are magnitudes. Tokens without a score (NaN) count as least relevant. Equal scores go in
the order of the text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Values = Callable[[Bool[np.ndarray, "subset token"]], Float[np.ndarray, "subset"]]
"""What the model says when only the tokens that are True stay."""

TOP_PERCENTS = (1, 5, 10, 20, 50)
"""The shares of DeYoung et al. 2020, section 4.2."""

STEPS = 10
"""Texts with at most so many players are measured at every step, longer ones at so many evenly spaced points."""


@dataclass(frozen=True, eq=False)
class Curves:
    """What the model says at each step of one order.

    Attributes:
        whole: With all tokens.
        fractions: Share of the players removed at each step, from 0 to 1.
        most_first: With that share of the most relevant removed (MoRF).
        least_first: With that share of the least relevant removed (LeRF). Read backwards it is the curve of adding
            the most relevant first.
        without_top: With the top 1, 5, 10, 20 and 50% removed, at least one token.
        only_top: With only those kept (and the protected tokens).
    """

    whole: float
    fractions: Float[np.ndarray, "step"]
    most_first: Float[np.ndarray, "step"]
    least_first: Float[np.ndarray, "step"]
    without_top: Float[np.ndarray, "share"]
    only_top: Float[np.ndarray, "share"]


def order_of(scores: Float[np.ndarray, "token"], players: Int[np.ndarray, "player"]) -> Int[np.ndarray, "player"]:
    """The players, most relevant first; see the head of this file for ties, signs and missing scores."""
    relevance = np.where(np.isnan(scores), -np.inf, scores)[players]
    return players[np.argsort(-relevance, kind="stable")]


def step_counts(n_players: int) -> Int[np.ndarray, "step"]:
    """How many players are gone at each step: every number up to 10 players, else 10 evenly spaced, with the ends."""
    if n_players <= STEPS:
        return np.arange(n_players + 1)
    return np.round(np.linspace(0, n_players, STEPS)).astype(int)


def top_counts(n_players: int) -> Int[np.ndarray, "share"]:
    """How many tokens the top 1, 5, 10, 20 and 50% are: max(1, ⌈r·n⌉)."""
    return np.array([max(1, -(-percent * n_players // 100)) for percent in TOP_PERCENTS])


def subsets_of(order: Int[np.ndarray, "player"], n_tokens: int) -> Bool[np.ndarray, "subset token"]:
    """The tokens that stay in each run that this order needs; `read` takes the values in the same order.

    MoRF at every step, LeRF at every step, without the top r%, only the top r%.
    """
    n = len(order)
    steps, tops = step_counts(n), top_counts(n)
    removed = [order[:k] for k in steps] + [order[n - k :] for k in steps]
    removed += [order[:k] for k in tops] + [order[k:] for k in tops]
    keep = np.ones((len(removed), n_tokens), bool)
    for row, gone in zip(keep, removed, strict=True):
        row[gone] = False
    return keep


def read(values: Float[np.ndarray, "subset"], n_players: int) -> Curves:
    """The curves, from the values of `subsets_of`."""
    steps, tops = step_counts(n_players), top_counts(n_players)
    ends = np.cumsum([len(steps), len(steps), len(tops)])
    most, least, without, only = np.split(values.astype(np.float64), ends)
    return Curves(float(most[0]), steps / n_players, most, least, without, only)


def measure_orders(orders: Sequence[Int[np.ndarray, "player"]], n_tokens: int, values: Values) -> tuple[Curves, ...]:
    """The curves of several orders; `values` is asked once for everything, so that equal subsets can run once."""
    subsets = [subsets_of(order, n_tokens) for order in orders]
    found = values(np.concatenate(subsets))
    parts = np.split(found, np.cumsum([len(part) for part in subsets])[:-1])
    return tuple(read(part, len(order)) for part, order in zip(parts, orders, strict=True))


def n_runs(n_players: int, n_orders: int) -> int:
    """Runs that this many different orders need at most, equal subsets counted once."""
    steps, tops = set(step_counts(n_players).tolist()), set(top_counts(n_players).tolist())
    removed_first = (steps | tops) - {0, n_players}
    kept_first = ({n_players - k for k in steps} | tops) - {0, n_players}
    return min(2 + n_orders * (len(removed_first) + len(kept_first)), 2 ** min(n_players, 60))
