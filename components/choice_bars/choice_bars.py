"""What the model predicts, as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components.checks import integers, within
from components.register import Callback, nothing, register, triggered
from components.tokens import TokenLabel, to_columns
from components.wire import pack

_component = register("choice_bars")


@dataclass(frozen=True)
class Choice:
    """One thing the model could say, with its probability (0..1) and the logit behind it."""

    label: TokenLabel
    probability: float
    logit: float

    def __post_init__(self) -> None:
        """Raises ValueError for a probability outside 0..1 or a logit that is NaN."""
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is from 0 to 1; got {self.probability} for {self.label.text!r}")
        if not math.isfinite(self.logit):
            raise ValueError(f"a logit is a finite number; got {self.logit} for {self.label.text!r}")


class ChoiceBarsEvent(NamedTuple):
    """What the reader did in this run, as the index of a choice; None means nothing.

    Attributes:
        select: the choice to explain.
        against: the choice to compare it with; the one it is compared with already, to end the comparison.
    """

    select: int | None
    against: int | None


def build(
    choices: Sequence[Choice],
    *,
    selected: int,
    against: int | None = None,
    caption: str = "",
    contrast: bool = True,
) -> bytes:
    """The bars as a payload, from the top in the order given.

    Args:
        choices: what is offered; bar lengths are linear from 0 to 1.
        selected: index of the choice that is being explained.
        against: index of the choice it is compared with.
        caption: shown above the bars.
        contrast: offer on each other row to compare the selected one with it.

    Raises:
        ValueError: no choices, or an index outside them.
    """
    if not choices:
        raise ValueError("there must be at least one choice to show")
    header = {
        "labels": to_columns([choice.label for choice in choices]),
        "probabilities": [float(choice.probability) for choice in choices],
        "logits": [float(choice.logit) for choice in choices],
        "selected": within("selected choice", selected, len(choices)),
        "against": None if against is None else within("choice to compare with", against, len(choices)),
        "caption": caption,
        "contrast": contrast,
    }
    return pack(header)


def _event(value: object) -> int | None:
    return (integers(value) or (None,))[0]


def read_event(key: str) -> int | None:
    """The index of the clicked choice, read inside an `on_select` callback."""
    return _event(triggered(key, "select"))


def read_against(key: str) -> int | None:
    """The index of the choice to compare with, read inside an `on_against` callback.

    It is the index that `build` was given if the reader clicked the comparison away: the page decides.
    """
    return _event(triggered(key, "against"))


def choice_bars(
    payload: bytes, *, key: str, on_select: Callback = nothing, on_against: Callback = nothing
) -> ChoiceBarsEvent:
    """Shows what `build` gave and returns what the reader did in this run."""
    result = _component(data=payload, key=key, on_select_change=on_select, on_against_change=on_against)
    return ChoiceBarsEvent(_event(result.get("select")), _event(result.get("against")))
