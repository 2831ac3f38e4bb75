"""What methods measured on many texts gave: means with intervals beside random orders, and every number behind them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from dashboard.engine.errors import InvalidInput
from dashboard.engine.faithfulness.metrics import METRICS

RANDOM = "random"
"""What the chance level is called in tables."""

FEWEST_TEXTS = 10
"""Fewer give numbers, but no verdict."""

FORMATS = ("parquet", "csv")


@dataclass(frozen=True)
class Interval:
    """A mean over texts and its 95% interval; the ends are NaN for fewer than two texts."""

    mean: float
    low: float
    high: float

    def overlaps(self, other: "Interval") -> bool:
        """True also where an end is not known: no difference is claimed then."""
        return not (self.low > other.high or self.high < other.low)


@dataclass(frozen=True)
class Failure:
    """A text that could not be measured.

    Attributes:
        index: Of the row, counted from 0.
        text: Of the row.
        reason: What happened, and what to do about it.
    """

    index: int
    text: str
    reason: str


@dataclass(frozen=True)
class Measured:
    """One method (or `RANDOM`: the mean over the random orders) on one text."""

    index: int
    text: str
    method: str
    target: str
    measure: str
    n_players: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Study:
    """Methods on many texts.

    Attributes:
        model: The model's name.
        removal: How tokens were taken away.
        n_random: Random orders for each text.
        seed: Of the random orders and the resamples.
        methods: Those that were measured.
        measured: One for each text and method, and for each text's random orders.
        failures: Texts that could not be measured.
        skipped: Methods that this model does not support, with the reason.
        intervals: Of each method, and `RANDOM`: each metric's mean over texts with its 95% interval.
        paired: Of each method: the mean of its difference to the same text's random orders.
        options: What was chosen for the methods' options, by method and name; the others had their defaults.
    """

    model: str
    removal: str
    n_random: int
    seed: int
    methods: tuple[str, ...]
    measured: tuple[Measured, ...]
    failures: tuple[Failure, ...]
    skipped: Mapping[str, str]
    intervals: Mapping[str, Mapping[str, Interval]]
    paired: Mapping[str, Mapping[str, Interval]]
    options: Mapping[str, Mapping[str, str]]

    @property
    def n_texts(self) -> int:
        """Texts that were measured."""
        return len({row.index for row in self.measured})

    def better_than_chance(self, method: str, metric: str) -> bool:
        """True only where the method's interval does not overlap that of random orders and is on the good side.

        Never for fewer than 10 texts: a bootstrap of a few numbers says little more than their range.
        """
        if self.n_texts < FEWEST_TEXTS:
            return False
        own, random = self.intervals[method][metric], self.intervals[RANDOM][metric]
        higher = own.mean > random.mean
        return not own.overlaps(random) and higher == METRICS[metric].higher_is_better

    def table(self) -> pd.DataFrame:
        """One row for each method, best area between the curves first, and random orders last.

        Columns: for each metric its mean, low, high, "better than chance", and the paired difference to random orders.
        """
        names = sorted(self.methods, key=lambda name: -self.intervals[name]["abpc"].mean)
        rows = {}
        for name in [*names, RANDOM]:
            row: dict[tuple[str, str], object] = {}
            for metric in METRICS:
                found = self.intervals[name][metric]
                row |= {(metric, "mean"): found.mean, (metric, "low"): found.low, (metric, "high"): found.high}
                row[metric, "better than chance"] = name != RANDOM and self.better_than_chance(name, metric)
                for end in ("mean", "low", "high"):
                    value = getattr(self.paired[name][metric], end) if name != RANDOM else 0.0
                    row[metric, f"{end} less random"] = value
            rows[name] = row
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.columns = pd.MultiIndex.from_tuples(table.columns, names=["metric", ""])
        table.index.name = "method"
        return table

    def frame(self) -> pd.DataFrame:
        """One row for each text and method, random orders among them, with every metric."""
        columns = ["index", "text", "method", "target", "measure", "n_players", *METRICS]
        rows = [
            [row.index, row.text, row.method, row.target, row.measure, row.n_players, *row.metrics.values()]
            for row in self.measured
        ]
        return pd.DataFrame(rows, columns=columns).assign(model=self.model, removal=self.removal)

    def encoded(self, file_format: str) -> bytes:
        """`frame` as a file's content: "parquet" or "csv".

        Raises:
            InvalidInput: No such format.
        """
        check_format(file_format)
        if file_format == "csv":
            return self.frame().to_csv(index=False).encode()
        buffer = io.BytesIO()
        self.frame().to_parquet(buffer, engine="pyarrow", index=False)
        return buffer.getvalue()

    def summary(self) -> dict[str, object]:
        """Everything but the single texts' numbers, for JSON."""
        named = {"intervals": self.intervals, "paired": self.paired}
        means = {
            key: {name: {metric: vars(found) for metric, found in metrics.items()} for name, metrics in methods.items()}
            for key, methods in named.items()
        }
        return {
            "model": self.model,
            "removal": self.removal,
            "random orders": self.n_random,
            "seed": self.seed,
            "options": {name: dict(chosen) for name, chosen in self.options.items()},
            "texts": self.n_texts,
            "failures": [vars(failure) for failure in self.failures],
            "skipped": dict(self.skipped),
            "better than chance": {
                name: [metric for metric in METRICS if self.better_than_chance(name, metric)] for name in self.methods
            },
            **means,
        }


def check_format(file_format: str) -> None:
    """Nothing, if a study can be written so.

    Raises:
        InvalidInput: It cannot.
    """
    if file_format not in FORMATS:
        raise InvalidInput(f"A study is not written as “{file_format}”.", f"Choose one of: {', '.join(FORMATS)}.")
