"""Which attribution of this text does the model confirm, and is that more than chance?"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from dashboard.engine.attribution.attribute import ask
from dashboard.engine.attribution.method import METHODS
from dashboard.engine.attribution.perturbation import values_of_subsets
from dashboard.engine.attribution.question import Question
from dashboard.engine.attribution.result import Attribution
from dashboard.engine.errors import InvalidInput
from dashboard.engine.faithfulness.curves import Curves, measure_orders, n_runs, order_of
from dashboard.engine.faithfulness.metrics import METRICS, metrics_of
from dashboard.engine.faithfulness.players import players_of
from dashboard.engine.faithfulness.results import Band, Chance, CurveBand, Entry, Leaderboard
from dashboard.engine.progress import Progress, silent
from dashboard.engine.tracing.trace import Trace

INTERVAL = 0.95
"""With this probability one more random order lies within the band of those that were run."""


def leaderboard(
    trace: Trace,
    attributions: Sequence[Attribution],
    *,
    removal: str = "mask",
    n_random: int = 20,
    seed: int = 0,
    progress: Progress = silent,
) -> Leaderboard:
    """Every metric and both curves of each attribution, beside random orders of the same tokens.

    All subsets of all orders are run together, equal ones once.

    Args:
        trace: What the attributions explain.
        attributions: All of one target.
        removal: How tokens are taken away; a name in REMOVALS.
        n_random: Random orders for the chance level, at least 2.
        seed: Of the random orders.
        progress: Told after each batch; may raise Cancelled.

    Raises:
        InvalidInput: No attribution, different targets, another text's scores, fewer than two removable tokens, no such
            removal.
        Unsupported: The model has nothing to put in a removed token's place.
    """
    question = _question(trace, attributions)
    players = players_of(question)
    if n_random < 2:
        raise InvalidInput(f"{n_random} random orders give no interval.", "Ask for 2 or more; 20 is the default.")
    chooser = np.random.default_rng(seed)
    orders = [order_of(attribution.scores, players) for attribution in attributions]
    orders += [chooser.permutation(players) for _ in range(n_random)]
    n_different = 0

    def values(keep: np.ndarray) -> np.ndarray:
        nonlocal n_different
        n_different = len(np.unique(keep, axis=0))
        return values_of_subsets(question, keep, removal, progress, f"Removing tokens in {len(orders)} orders")

    measured = measure_orders(orders, question.n_tokens, values)
    n_given = len(attributions)
    chance = _chance(measured[n_given:])
    entries = tuple(
        Entry(attribution.method, attribution.options, order, metrics_of(curves), curves, chance)
        for attribution, order, curves in zip(attributions, orders[:n_given], measured[:n_given], strict=True)
    )
    return Leaderboard(
        question.target, question.against, question.measure, removal, players, entries, chance, n_different
    )


def leaderboard_passes(trace: Trace, n_methods: int, n_random: int = 20) -> int:
    """How many runs a leaderboard takes at most, to be said beforehand; the attributions themselves come on top.

    Raises:
        InvalidInput: Fewer than two tokens can be removed.
    """
    return n_runs(len(players_of(ask(trace))), n_methods + n_random)


def _question(trace: Trace, attributions: Sequence[Attribution]) -> Question:
    if not attributions:
        raise InvalidInput("There is no attribution to test.", f"Choose methods: {', '.join(METHODS)}.")
    first = attributions[0]
    for other in attributions:
        if len(other.scores) != len(trace.tokens):
            raise InvalidInput(
                f"“{METHODS[other.method].title}” has {len(other.scores)} scores for {len(trace.tokens)} tokens.",
                "Compute it on the same text.",
            )
        if _asked(other) != _asked(first):
            raise InvalidInput(
                f"“{METHODS[other.method].title}” explains another target than “{METHODS[first.method].title}”.",
                "Explain the same choice with every method.",
            )
    return ask(trace, *_asked(first))


def _asked(attribution: Attribution) -> tuple[int, int | None]:
    return attribution.target.id, None if attribution.against is None else attribution.against.id


def _chance(measured: Sequence[Curves]) -> Chance:
    rows = [metrics_of(curves) for curves in measured]
    values = {name: np.array([row[name] for row in rows]) for name in METRICS}
    bands = {name: Band(*(float(number) for number in prediction_interval(found))) for name, found in values.items()}
    both = np.stack([curve for curves in measured for curve in (curves.most_first, curves.least_first)])
    return Chance(len(measured), bands, values, CurveBand(measured[0].fractions, *prediction_interval(both)))


def prediction_interval(draws: Float[np.ndarray, "draw *each"]) -> Float[np.ndarray, "3 *each"]:
    """The mean of some draws, and the ends between which one more lies with the probability INTERVAL."""
    draws = draws.astype(np.float64)
    n_draws, mean = len(draws), draws.mean(0)
    half = stats.t.ppf((1 + INTERVAL) / 2, n_draws - 1) * draws.std(0, ddof=1) * np.sqrt(1 + 1 / n_draws)
    return np.stack([mean, mean - half, mean + half])
