"""What a head seems to do, named from its scores by rules that are shown and can be changed.

A name is a reading of numbers on one text, not a proof: "induction" here means that on this text the head looks at what
followed the same token earlier.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from dashboard.engine.errors import InvalidInput


@dataclass(frozen=True)
class Pattern:
    """A rule: the pattern applies where the score is beyond the threshold.

    Attributes:
        name: For the API and links.
        title: For people.
        score: Name of the head score that it looks at.
        direction: Which side of the threshold counts.
        threshold: Where it starts, by default, in the score's unit.
        general: True for shapes that many specific patterns have too (a previous-token head is local): they name
            a head only if no specific pattern does.
        sentence: What such a head does.
    """

    name: str
    title: str
    score: str
    direction: Literal["above", "below"]
    threshold: float
    general: bool
    sentence: str

    def strength(self, scores: Float[np.ndarray, "*head"], threshold: float) -> Float[np.ndarray, "*head"]:
        """How far past the threshold: 0 at it, 1 at the extreme (1, or 0 when below), −inf where it does not apply."""
        if self.direction == "above":
            beyond = (scores - threshold) / max(1 - threshold, 1e-9)
        else:
            beyond = (threshold - scores) / max(threshold, 1e-9)
        return np.where(beyond >= 0, beyond, -np.inf)  # NaN is not beyond anything


_TABLE = (
    Pattern("previous", "Previous token", "previous_token", "above", 0.5, False, "Looks at the token just before."),
    Pattern("next", "Next token", "next_token", "above", 0.5, False, "Looks at the token just after."),
    Pattern("induction", "Induction", "induction", "above", 0.3, False, "Looks at what followed this token before."),
    Pattern("duplicate", "Duplicate token", "duplicate_token", "above", 0.3, False, "Looks at earlier copies."),
    Pattern("self", "Self", "self", "above", 0.5, False, "Looks at the query's own token."),
    Pattern("sink", "First-token sink", "first_token", "above", 0.5, False, "Rests on the first token."),
    Pattern("special", "Special tokens", "special_tokens", "above", 0.5, False, "Rests on special tokens."),
    Pattern("broad", "Broad", "entropy", "above", 0.8, True, "Looks at nearly all tokens alike."),
    Pattern("local", "Local", "distance", "below", 4.0, True, "Looks at its neighbourhood."),
)

PATTERNS: Mapping[str, Pattern] = {pattern.name: pattern for pattern in _TABLE}
"""All patterns, registered by their row in the table; of equally strong ones the first names the head."""


def name_patterns(
    scores: Mapping[str, Float[np.ndarray, "layer head"]], thresholds: Mapping[str, float] | None = None
) -> np.ndarray:
    """Name of each head's strongest pattern, "" where none applies.

    Args:
        scores: By score name; patterns whose score is missing name nothing.
        thresholds: By pattern name, instead of the defaults.

    Raises:
        InvalidInput: There is no pattern of that name, or no scores.
    """
    thresholds = thresholds or {}
    for name in thresholds:
        if name not in PATTERNS:
            raise InvalidInput(f"There is no pattern “{name}”.", f"Choose one of: {', '.join(PATTERNS)}.")
    if not scores:
        raise InvalidInput("There are no scores to name patterns from.", f"Give some of: {', '.join(needed())}.")
    shape = next(iter(scores.values())).shape
    names = np.full(shape, "", dtype=object)
    for general in (False, True):
        strongest = np.full(shape, -np.inf)
        open_heads = names == ""
        for pattern in PATTERNS.values():
            if pattern.general != general or pattern.score not in scores:
                continue
            strength = pattern.strength(scores[pattern.score], thresholds.get(pattern.name, pattern.threshold))
            wins = open_heads & (strength > strongest)
            names[wins], strongest[wins] = pattern.name, strength[wins]
    return names.astype(str)


def needed() -> tuple[str, ...]:
    """Names of the head scores that patterns look at."""
    return tuple(pattern.score for pattern in PATTERNS.values())
