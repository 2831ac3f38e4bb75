"""How far an attribution can be believed: what the model says when its tokens go, edited texts, and many texts.

Start with `curves.py` (what is measured) and `metrics.py` (the numbers made of it), then `leaderboards.py`.
"""

from dashboard.engine.faithfulness.agreements import Agreement, agreement
from dashboard.engine.faithfulness.captum_metrics import (
    Infidelity,
    LargestSensitivity,
    infidelity,
    infidelity_cost,
    sensitivity_max,
    sensitivity_max_cost,
)
from dashboard.engine.faithfulness.curves import Curves, players_of
from dashboard.engine.faithfulness.evaluation import check_methods, check_removal, evaluate
from dashboard.engine.faithfulness.flips import Flip, Substitution, flip
from dashboard.engine.faithfulness.intervals import Interval
from dashboard.engine.faithfulness.leaderboards import (
    Band,
    Chance,
    CurveBand,
    Entry,
    Leaderboard,
    leaderboard,
    leaderboard_passes,
)
from dashboard.engine.faithfulness.metrics import METRICS, Metric
from dashboard.engine.faithfulness.reactions import Reaction, sensitivity
from dashboard.engine.faithfulness.studies import FEWEST_TEXTS, RANDOM, Failure, Measured, Study, check_format
from dashboard.engine.faithfulness.text_edits import Edit, edits, paraphrase

__all__ = [
    "FEWEST_TEXTS",
    "METRICS",
    "RANDOM",
    "Agreement",
    "Band",
    "Chance",
    "CurveBand",
    "Curves",
    "Edit",
    "Entry",
    "Failure",
    "Flip",
    "Infidelity",
    "Interval",
    "LargestSensitivity",
    "Leaderboard",
    "Measured",
    "Metric",
    "Reaction",
    "Study",
    "Substitution",
    "agreement",
    "check_format",
    "check_methods",
    "check_removal",
    "edits",
    "evaluate",
    "flip",
    "infidelity",
    "infidelity_cost",
    "leaderboard",
    "leaderboard_passes",
    "paraphrase",
    "players_of",
    "sensitivity",
    "sensitivity_max",
    "sensitivity_max_cost",
]
