"""How good a classifier is on texts that it was not trained on."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

_Z = 1.959964  # 95% of a normal distribution


@dataclass(frozen=True)
class ClassReport:
    """One class: `precision` of what was called so is so, `recall` of what is so was called so; `f1` is their mean.

    `support` is the number of texts of the class. A share of nothing is 0.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Report:
    """A classification report.

    Attributes:
        accuracy: Share of texts whose class was found.
        interval: Its 95% interval (Wilson 1927), for as many texts as there are.
        commonest: What always answering the commonest class would reach: the chance level.
        macro_f1: Mean of the classes' F1.
        classes: Each class by itself.
        confusion: Texts by true class (outer) and by the class that was found (inner).
    """

    accuracy: float
    interval: tuple[float, float]
    commonest: float
    macro_f1: float
    classes: tuple[ClassReport, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def n_texts(self) -> int:
        return sum(one.support for one in self.classes)

    def as_dict(self) -> dict[str, Any]:
        """The figures for a JSON file."""
        return asdict(self)

    def __str__(self) -> str:
        """A table, one line a class."""
        width = max(len("macro mean"), *(len(one.label) for one in self.classes))
        lines = [f"{'':{width}}  precision  recall     F1  texts"]
        lines += [
            f"{one.label:{width}}  {one.precision:9.3f}  {one.recall:6.3f}  {one.f1:5.3f}  {one.support:5,}"
            for one in self.classes
        ]
        low, high = self.interval
        n = len(self.classes)
        precision, recall = (sum(getattr(one, key) for one in self.classes) / n for key in ("precision", "recall"))
        lines.append(
            f"{'macro mean':{width}}  {precision:9.3f}  {recall:6.3f}  {self.macro_f1:5.3f}  {self.n_texts:5,}"
        )
        lines.append(
            f"\naccuracy {self.accuracy:.1%} on {self.n_texts:,} held-out texts, 95% interval {low:.1%} to {high:.1%}; "
            f"always the commonest class: {self.commonest:.1%}"
        )
        return "\n".join(lines)


def make_report(labels: Sequence[str], true: Sequence[int], found: Sequence[int]) -> Report:
    """The report for texts of these true and found classes.

    Args:
        labels: Names of the classes.
        true: Each text's class, at least one text.
        found: The class that the model gave it.
    """
    n_classes, n_texts = len(labels), len(true)
    confusion = [[0] * n_classes for _ in range(n_classes)]
    for is_so, called in zip(true, found, strict=True):
        confusion[is_so][called] += 1
    right = [confusion[i][i] for i in range(n_classes)]
    support = [sum(row) for row in confusion]
    called_so = [sum(row[i] for row in confusion) for i in range(n_classes)]
    classes = tuple(
        ClassReport(
            label,
            _share(right[i], called_so[i]),
            _share(right[i], support[i]),
            _share(2 * right[i], support[i] + called_so[i]),
            support[i],
        )
        for i, label in enumerate(labels)
    )
    return Report(
        accuracy=sum(right) / n_texts,
        interval=_wilson(sum(right), n_texts),
        commonest=max(support) / n_texts,
        macro_f1=sum(one.f1 for one in classes) / n_classes,
        classes=classes,
        confusion=tuple(map(tuple, confusion)),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _wilson(right: int, n: int) -> tuple[float, float]:
    share, z2 = right / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)
