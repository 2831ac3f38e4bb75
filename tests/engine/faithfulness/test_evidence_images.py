"""Evidence about attributions of images: leaderboards, agreement, infidelity, sensitivity, and what edits texts."""

import numpy as np
import pytest
from engine.attribution.image_twins import traced
from tiny import TEXT

from dashboard.engine import (
    LoadedModel,
    Trace,
    agreement,
    attribute,
    evaluate,
    flip,
    infidelity,
    leaderboard,
    sensitivity,
    sensitivity_max,
)
from dashboard.engine.attribution.attribute import ask
from dashboard.engine.attribution.perturbation import values_of_subsets
from dashboard.engine.errors import Unsupported
from dashboard.engine.faithfulness.captum_metrics import infidelity_cost, sensitivity_max_cost
from dashboard.engine.faithfulness.text_edits import Edit
from dashboard.engine.inputs.datasets import Row


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return traced("vit for classes", tmp_path_factory.mktemp("seen"))[0]


@pytest.mark.parametrize("removal", ["mask", "replace"])
def test_attributions_of_images_are_tested_like_others(removal: str, seen: Trace) -> None:
    attributions = [attribute(seen, method) for method in ("leave_one_out", "rollout", "replacement")]
    board = leaderboard(seen, attributions, removal=removal, n_random=3)
    assert board.players.tolist() == list(range(1, 17))
    assert all(np.isfinite(list(entry.metrics.values())).all() for entry in board.entries)
    best = {"mask": 0, "replace": 2}[removal]
    top = board.entries[best].order[0]
    keep = np.ones((1, 17), bool)
    keep[0, top] = False
    without = values_of_subsets(ask(seen), keep, removal)[0]
    assert board.entries[best].curves.without_top[0] == pytest.approx(float(without), abs=1e-5)
    assert agreement(attributions, board.players).spearman.shape == (3, 3)


def test_numbers_of_one_attribution(seen: Trace) -> None:
    question, given = ask(seen), attribute(seen, "leave_one_out")
    assert np.isfinite(infidelity(question, given, n_samples=10).value)
    assert infidelity_cost(seen, 10).passes == 11
    for method in ("input_x_gradient", "rollout", "leave_one_out"):
        found = sensitivity_max(question, method, n_samples=2)
        assert found.value > 0
        assert sensitivity_max_cost(seen, method, n_samples=2).passes > 0
    with pytest.raises(Unsupported, match="belong to no token"):
        sensitivity_max(question, "replacement", n_samples=2)


def test_what_edits_texts_says_so(seen: Trace, minilm: LoadedModel) -> None:
    with pytest.raises(Unsupported, match="reads images, which have no words"):
        flip(seen)
    with pytest.raises(Unsupported, match="reads images, and the edits are of texts"):
        sensitivity(seen, attribute(seen, "rollout"), [Edit("case", "Case", "x", (), "")])
    with pytest.raises(Unsupported, match="reads images, and these are texts"):
        evaluate(seen.model, [Row(TEXT)])
