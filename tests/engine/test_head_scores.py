"""Every head score against loops over eager attention, for every head."""

import numpy as np
import pytest
from oracles import eager
from oracles.head_scores import ORACLES

from dashboard.engine import HEAD_SCORES, LoadedModel, store, trace

TEXT = "The old keeper climbed the stairs, and the old keeper counted every step."


def test_every_score_has_an_oracle() -> None:
    assert set(ORACLES) == set(HEAD_SCORES)


@pytest.mark.parametrize("name", ["smollm2", "minilm"])
@pytest.mark.parametrize("score", sorted(ORACLES))
def test_scores_equal_their_oracles(
    name: str, score: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: LoadedModel = request.getfixturevalue(name)
    found = trace(model, TEXT)
    monkeypatch.setattr("dashboard.engine.attention.BLOCK_WEIGHTS", 500)  # so that rows come in several blocks
    twin = eager.load(store.fetch(name), model.task.auto_class, str(model.device))
    weights = eager.attentions(twin, found.encoded.inputs)
    expected = np.array([[ORACLES[score](head, model.task.causal) for head in layer] for layer in weights])
    scores = found.head_scores(score)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(scores, expected, atol=1e-5, rtol=1e-5)


def test_one_pass_gives_the_same_as_one_by_one(minilm: LoadedModel) -> None:
    found = trace(minilm, TEXT)
    together = found.all_head_scores()
    assert list(together) == list(HEAD_SCORES)
    for name, scores in together.items():
        np.testing.assert_array_equal(scores, found.head_scores(name))


def test_a_single_token_has_no_rows_that_count(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "Hello")
    assert np.isnan(found.head_scores("entropy")).all()
    assert (found.head_scores("distance") == 0).all()


@pytest.mark.parametrize("name", list(HEAD_SCORES))
def test_scores_say_what_they_are(name: str) -> None:
    score = HEAD_SCORES[name]
    assert score.name == name
    assert all([score.title, score.meaning.endswith("."), score.formula, score.source])
