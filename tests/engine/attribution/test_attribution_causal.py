"""Replacement and Shapley values against single runs and all subsets."""

import itertools
from math import factorial
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import eager
from tiny import TEXT, make_folder

from dashboard.engine import Cancelled, LoadedModel, attribute, load_model, trace
from dashboard.engine.attribution.attribute import ask, chosen_options
from dashboard.engine.attribution.method import METHODS
from dashboard.engine.errors import InvalidInput, Unsupported


@pytest.mark.parametrize("name", ["gpt2", "bert for masked tokens", "bloom (ALiBi)"])
def test_replacement_is_a_run_with_another_token(name: str, tmp_path: Path, device: str) -> None:
    model = load_model(str(make_folder(name, tmp_path)), device=device, dtype="float32")
    found = trace(model, TEXT + (" [MASK]" if model.task.kind == "masked token" else ""))
    result = attribute(found, "replacement")
    twin = eager.load(model.name, model.task.auto_class, str(model.device))
    ids = found.encoded.inputs["input_ids"]
    stand_in = model.tokenizer.mask_token_id or model.tokenizer.pad_token_id
    position = -1 if found.prediction.position is None else found.prediction.position

    def share(run: torch.Tensor) -> float:
        return float(eager.logits(twin, {"input_ids": run})[0, position].softmax(-1)[result.target.id])

    expected = []
    for i in range(len(found.tokens)):
        replaced = ids.clone()
        replaced[0, i] = stand_in
        expected.append(np.nan if torch.equal(replaced, ids) else share(ids) - share(replaced))
    np.testing.assert_allclose(result.scores, expected, atol=1e-5)
    assert np.isnan(result.scores).sum() == int((ids == stand_in).sum())
    assert result.notes


def exact_shapley(values: dict[frozenset[int], float], n_players: int) -> np.ndarray:
    """Σ over sets S without i of |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S))."""
    found = np.zeros(n_players)
    for i in range(n_players):
        for size in range(n_players):
            for others in itertools.combinations([p for p in range(n_players) if p != i], size):
                weight = factorial(size) * factorial(n_players - size - 1) / factorial(n_players)
                found[i] += weight * (values[frozenset((*others, i))] - values[frozenset(others)])
    return found


@pytest.mark.parametrize(("name", "text"), [("llama", "The capital of France is"), ("bert for classes", "John gave a")])
def test_shapley_values_are_those_of_all_subsets(name: str, text: str, tmp_path: Path, device: str) -> None:
    """Each order is one draw of a player's gain: the mean of n draws is within a few standard errors of the truth."""
    model = load_model(str(make_folder(name, tmp_path)), device=device, dtype="float32")
    found = trace(model, text)
    question = ask(found)
    players = np.flatnonzero(~question.protected)
    assert 2 <= len(players) <= 6
    twin = eager.load(model.name, model.task.auto_class, str(model.device))
    ids = found.encoded.inputs["input_ids"]
    values = {}
    for size in range(len(players) + 1):
        for shown in itertools.combinations(range(len(players)), size):
            mask = torch.from_numpy(question.protected.astype(int))
            mask[players[list(shown)]] = 1
            out = eager.logits(twin, {"input_ids": ids, "attention_mask": mask[None].to(ids.device)})[0]
            row = out if model.task.kind == "sequence class" else out[-1]
            values[frozenset(shown)] = float(row.softmax(-1)[question.target.id])
    exact = exact_shapley(values, len(players))
    whole, nothing = values[frozenset(range(len(players)))], values[frozenset()]
    assert exact.sum() == pytest.approx(whole - nothing, abs=1e-6)  # the oracle's own efficiency
    gains = [  # every possible draw, to know how much one varies
        [values[frozenset(order[: at + 1])] - values[frozenset(order[:at])] for at in np.argsort(order)]
        for order in itertools.permutations(range(len(players)))
    ]
    spread = np.array(gains).std(0)
    np.testing.assert_allclose(np.array(gains).mean(0), exact, atol=1e-6)
    result = attribute(found, "shapley", options={"samples": "50"})
    assert np.isnan(result.scores[question.protected]).all()
    assert (np.abs(result.scores[players] - exact) <= 4 * spread / np.sqrt(50) + 1e-5).all()
    efficiency = result.checks[0]
    assert efficiency.fine
    assert result.scores[players].sum() == pytest.approx(whole - nothing, abs=1e-5)


def test_shapley_values_are_the_same_every_time(minilm: LoadedModel) -> None:
    found = trace(minilm, "A man is playing the guitar.")
    torch.manual_seed(1)
    first = attribute(found, "shapley").scores
    state = torch.get_rng_state()
    np.testing.assert_array_equal(attribute(found, "shapley").scores, first)
    assert torch.equal(torch.get_rng_state(), state)  # and nobody else's random numbers change


def test_shapley_needs_a_player_and_can_be_stopped(smollm2: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="has to stay"):
        attribute(trace(smollm2, "Hello there"), "shapley")
    seen: list[float] = []

    def cancel(message: str, fraction: float) -> None:
        seen.append(fraction)
        if len(seen) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        attribute(trace(smollm2, "The capital of France is"), "shapley", progress=cancel)
    assert len(seen) == 3
    assert seen == sorted(seen)


def test_embeddings_that_belong_to_no_token_can_be_hidden_not_replaced(smollm2: LoadedModel) -> None:
    question = ask(trace(smollm2, "The capital of France is"))
    there = question.moved(question.embeddings() * 1.001)
    options = chosen_options(there.trace, "shapley")
    scored = METHODS["shapley"].run(there, options, lambda message, fraction: None)
    assert scored.checks[0].fine
    with pytest.raises(Unsupported, match="belong to no token"):
        METHODS["replacement"].run(there, {}, lambda message, fraction: None)
