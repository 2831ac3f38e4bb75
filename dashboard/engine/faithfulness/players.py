"""Which tokens tests of faithfulness remove, one after the other: the players."""

import numpy as np
from jaxtyping import Int

from dashboard.engine.attribution.question import Question
from dashboard.engine.errors import InvalidInput


def players_of(question: Question) -> Int[np.ndarray, "player"]:
    """The tokens that are removed, by position.

    Raises:
        InvalidInput: There are fewer than two, so there is no order to speak of.
    """
    players = np.flatnonzero(~question.protected)
    if len(players) < 2:
        raise InvalidInput(
            f"Only {len(players)} token of this text can be removed, so there is no order to test.",
            "Use a longer text: special tokens, a decoder's first token and the predicting one always stay.",
        )
    return players
