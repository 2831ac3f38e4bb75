"""Names of patterns: the strongest rule that applies, thresholds that can be changed, nothing where nothing applies."""

import numpy as np
import pytest

from dashboard.engine import HEAD_SCORES, LoadedModel, trace
from dashboard.engine.errors import InvalidInput
from dashboard.engine.head_analysis.patterns import _TABLE, PATTERNS, name_patterns, needed


def scores_of(**values: float) -> dict[str, np.ndarray]:
    """One head with these scores, and nothing remarkable otherwise."""
    usual = dict.fromkeys(needed(), 0.0) | {"distance": 30.0, "entropy": 0.5}
    return {name: np.full((1, 1), value, np.float32) for name, value in {**usual, **values}.items()}


@pytest.mark.parametrize("name", list(PATTERNS))
def test_every_pattern_names_a_head_that_shows_it(name: str) -> None:
    pattern = PATTERNS[name]
    assert pattern.score in HEAD_SCORES
    assert pattern.sentence.endswith(".")
    beyond = pattern.threshold * (1.1 if pattern.direction == "above" else 0.9)
    short = pattern.threshold * (0.9 if pattern.direction == "above" else 1.1)
    assert name_patterns(scores_of(**{pattern.score: beyond}))[0, 0] == name
    assert name_patterns(scores_of(**{pattern.score: short}))[0, 0] == ""
    assert name_patterns(scores_of(**{pattern.score: short}), {name: short})[0, 0] == name
    assert name_patterns(scores_of(**{pattern.score: np.nan}))[0, 0] == ""


def test_names_are_given_once() -> None:
    assert len(PATTERNS) == len(_TABLE)


def test_the_strongest_rule_wins_measured_from_its_own_threshold() -> None:
    # 0.6 of 0.5…1 is less far than 0.5 of 0.3…1
    assert name_patterns(scores_of(first_token=0.6, induction=0.5))[0, 0] == "induction"
    assert name_patterns(scores_of(first_token=0.9, induction=0.35))[0, 0] == "sink"


def test_a_general_shape_names_only_what_no_specific_pattern_does() -> None:
    assert name_patterns(scores_of(previous_token=0.51, distance=0.1))[0, 0] == "previous"
    assert name_patterns(scores_of(previous_token=0.49, distance=0.1))[0, 0] == "local"


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"no pattern “magic”.*previous"):
        name_patterns(scores_of(), {"magic": 1.0})
    with pytest.raises(InvalidInput, match="no scores"):
        name_patterns({})


def test_a_known_previous_token_head_is_named(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The old keeper climbed the stairs of the lighthouse and looked at the sea.")
    scores = found.all_head_scores()
    names = name_patterns(scores)
    assert names.shape == (30, 9)
    best = np.unravel_index(scores["previous_token"].argmax(), names.shape)
    assert scores["previous_token"][best] > 0.8
    assert names[best] == "previous"
    assert (names[scores["first_token"] > 0.95] == "sink").all()
