"""What tests of faithfulness found, as values: leaderboards, substitutions, reactions to edits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dashboard.engine.attribution.result import Attribution, Options
from dashboard.engine.errors import InvalidInput
from dashboard.engine.faithfulness.curves import Curves
from dashboard.engine.faithfulness.metrics import METRICS
from dashboard.engine.faithfulness.text_edits import Edit
from dashboard.engine.inputs.tokens import Token
from dashboard.engine.tasks.prediction import Choice


@dataclass(frozen=True)
class Band:
    """What random orders give: their mean, and where one more of them lies with a probability of 95%.

    A prediction interval: mean ± t_{n−1}(97.5%) · sd · √(1 + 1/n) of n random orders, as if they were normal.
    Percentiles of 20 orders would hold only 87% of others.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class CurveBand:
    """Removal curves of random orders: their mean and their `Band`, step by step."""

    fractions: Float[np.ndarray, "step"]
    mean: Float[np.ndarray, "step"]
    low: Float[np.ndarray, "step"]
    high: Float[np.ndarray, "step"]


@dataclass(frozen=True, eq=False)
class Chance:
    """The chance level that every number here stands beside.

    Attributes:
        n_orders: Random orders that were run.
        metrics: By metric name.
        values: Each metric's value for each random order.
        curve: From both curves of each order, twice as many draws: a random order backwards is a random order.
    """

    n_orders: int
    metrics: Mapping[str, Band]
    values: Mapping[str, Float[np.ndarray, "order"]]
    curve: CurveBand


@dataclass(frozen=True, eq=False)
class Entry:
    """One method's row.

    Attributes:
        method: Its name.
        options: What was chosen for it.
        order: Positions of the removable tokens, most relevant first.
        metrics: By metric name.
        curves: What the metrics are computed from.
        chance: What random orders give.
    """

    method: str
    options: Options
    order: Int[np.ndarray, "player"]
    metrics: Mapping[str, float]
    curves: Curves
    chance: Chance

    def better_than_chance(self, metric: str) -> bool:
        """True only outside the band of random orders, on the good side."""
        band, value = self.chance.metrics[metric], self.metrics[metric]
        return value > band.high if METRICS[metric].higher_is_better else value < band.low

    def worse_than_chance(self, metric: str) -> bool:
        """True only outside the band of random orders, on the bad side."""
        band, value = self.chance.metrics[metric], self.metrics[metric]
        return value < band.low if METRICS[metric].higher_is_better else value > band.high


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Methods measured on one text, for one target.

    Attributes:
        target: What was explained.
        against: What it was explained against.
        measure: What the curves show: "probability", "logit" …
        removal: How tokens were taken away; a name in REMOVALS.
        players: Positions of the tokens that were removed; the others always stay.
        entries: One for each attribution, as they were given.
        chance: What random orders give.
        n_runs: Different subsets that were run.
    """

    target: Choice
    against: Choice | None
    measure: str
    removal: str
    players: Int[np.ndarray, "player"]
    entries: tuple[Entry, ...]
    chance: Chance
    n_runs: int

    def ranked(self, metric: str = "abpc") -> tuple[Entry, ...]:
        """The entries, best first.

        Raises:
            InvalidInput: No such metric.
        """
        if metric not in METRICS:
            raise InvalidInput(f"There is no metric “{metric}”.", f"Choose one of: {', '.join(METRICS)}.")
        return tuple(
            sorted(self.entries, key=lambda entry: entry.metrics[metric], reverse=METRICS[metric].higher_is_better)
        )


@dataclass(frozen=True)
class Substitution:
    """One step: one token replaced.

    Attributes:
        position: Of the token.
        old: What stood there.
        new: What stands there now.
        rival: The choice that the target's logit was compared with at this step.
        predicted: First-order change of (target's logit − rival's).
        measured: How it really changed.
        target: The target on the new text, with its probability and logit.
        top: The model's most probable choice on the new text.
        text: The text so far.
    """

    position: int
    old: Token
    new: Token
    rival: Choice
    predicted: float
    measured: float
    target: Choice
    top: Choice
    text: str


@dataclass(frozen=True)
class Flip:
    """What it took, or did not take, to change the model's choice.

    Attributes:
        target: The choice that was argued against, on the original text.
        towards: The choice that was argued for; None for any other.
        steps: Substitutions in the order they were made.
        flipped: The model's most probable choice is no longer the target (with `towards`: it is that one).
        n_runs: Texts that were really run.
        message: Why it ended.
    """

    target: Choice
    towards: Choice | None
    steps: tuple[Substitution, ...]
    flipped: bool
    n_runs: int
    message: str


@dataclass(frozen=True, eq=False)
class Reaction:
    """What one edit does.

    Attributes:
        edit: What was changed.
        reason: Why there is nothing more in this row; empty where all went well.
        top: The model's most probable choice on the changed text.
        flipped: It is not the one on the original text. None for a model that makes no choice.
        before: The target's probability (or what `measure` says) on the original text.
        after: The same on the changed text.
        measure: What `before` and `after` are.
        correlation: Spearman's rank correlation of the scores of the words in both texts; None where fewer than three
            are in both, or one text gives all of them the same score.
        n_shared: Words in both, aligned in order.
        n_words: Words of the original text.
        tokens: The changed text's tokens.
        attribution: Its scores.
    """

    edit: Edit
    reason: str = ""
    top: Choice | None = None
    flipped: bool | None = None
    before: float | None = None
    after: float | None = None
    measure: str = ""
    correlation: float | None = None
    n_shared: int = 0
    n_words: int = 0
    tokens: tuple[Token, ...] = ()
    attribution: Attribution | None = None
