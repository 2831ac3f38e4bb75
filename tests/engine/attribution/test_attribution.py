"""Attribution against knocked-out columns and finite differences."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import attribution as oracle
from oracles import eager
from tiny import TEXT, make_folder

from dashboard.engine import METHODS, Cancelled, LoadedModel, attribute, load_model, trace
from dashboard.engine.attribution.method import KINDS
from dashboard.engine.errors import InvalidInput
from dashboard.engine.models import store


@pytest.mark.parametrize("target", [None, 2])
def test_leave_one_out_is_a_knocked_out_column(smollm2: LoadedModel, target: int | None) -> None:
    found = trace(smollm2, "The capital of France is")
    choice = found.prediction.choices[target or 0]
    result = attribute(found, "leave_one_out", None if target is None else choice.id)
    twin = eager.load(store.fetch("smollm2"), smollm2.task.auto_class, str(smollm2.device))
    ids = found.encoded.inputs["input_ids"]
    shares = [
        float(oracle.knock_out(twin, ids, hidden, causal=True)[0, -1].softmax(-1)[choice.id])
        for hidden in [None, *range(len(found.tokens))]
    ]
    assert result.target.id == choice.id
    assert result.unit == "probability"
    np.testing.assert_allclose(result.scores, shares[0] - np.array(shares[1:]), atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "gpt2",
        "qwen3",
        "bert for masked tokens",
        "bert for classes",
        "bert for token classes",
        "llama for token classes",
        "bloom (ALiBi)",
    ],
)
def test_leave_one_out_on_other_architectures(name: str, tmp_path: Path, device: str) -> None:
    model = load_model(str(make_folder(name, tmp_path)), device=device, dtype="float32")
    found = trace(model, TEXT + (" [MASK]" if model.task.kind == "masked token" else ""))
    result = attribute(found, "leave_one_out")
    twin = eager.load(model.name, model.task.auto_class, str(model.device))
    position = -1 if model.task.kind == "next token" else found.prediction.position
    shares = []
    for hidden in [None, *range(len(found.tokens))]:
        if "bloom" in name:  # its positions come from the mask, so it takes no hand-made one: hide with the plain mask
            mask = torch.ones_like(found.encoded.inputs["input_ids"])
            if hidden is not None:
                mask[0, hidden] = 0
            logits = eager.logits(twin, {"input_ids": found.encoded.inputs["input_ids"], "attention_mask": mask})
        else:
            logits = oracle.knock_out(twin, found.encoded.inputs["input_ids"], hidden, model.verification.causal)
        row = logits[0] if position is None else logits[0, position]
        shares.append(float(row.softmax(-1)[result.target.id]))
    np.testing.assert_allclose(result.scores, shares[0] - np.array(shares[1:]), atol=1e-5)


@pytest.fixture(scope="module")
def precise(tmp_path_factory: pytest.TempPathFactory, device: str) -> tuple[Any, Any]:
    """A tiny Llama, traced in float32, and its twin in float64 for finite differences."""
    folder = make_folder("llama", tmp_path_factory.mktemp("precise"))
    model = load_model(str(folder), device=device, dtype="float32")
    return trace(model, TEXT), eager.load(folder, model.task.auto_class, device, torch.float64)


@pytest.mark.parametrize("target", [None, 17])
def test_input_x_gradient_is_the_derivative_along_each_embedding(precise: Any, target: int | None) -> None:
    found, twin = precise
    result = attribute(found, "input_x_gradient", target)
    expected = oracle.directional_derivatives(twin, found.encoded.inputs["input_ids"], result.target.id)
    np.testing.assert_allclose(result.scores, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_gradient_norm_is_the_length_of_the_gradient(precise: Any) -> None:
    found, twin = precise
    result = attribute(found, "gradient_norm")
    expected = oracle.gradient_norms(twin, found.encoded.inputs["input_ids"], result.target.id)
    np.testing.assert_allclose(result.scores, expected, rtol=1e-3)


def test_input_x_gradient_is_linear_in_the_target(precise: Any) -> None:
    """The logit difference of two targets has the difference of their scores: both come from one linear map."""
    found, twin = precise
    ids = found.encoded.inputs["input_ids"]
    one, other = (attribute(found, "input_x_gradient", target).scores for target in (3, 44))
    expected = oracle.directional_derivatives(twin, ids, 3) - oracle.directional_derivatives(twin, ids, 44)
    np.testing.assert_allclose(one - other, expected, rtol=2e-3, atol=1e-3 * np.abs(expected).max())


def test_an_embedding_is_explained_by_its_projection(minilm: LoadedModel) -> None:
    found = trace(minilm, "A man is playing the guitar.")
    result = attribute(found, "leave_one_out")
    with torch.no_grad():
        states = minilm.network(**found.encoded.inputs).last_hidden_state[0]
        whole = states.mean(0)
        mask = torch.ones_like(found.encoded.inputs["input_ids"])
        mask[0, 3] = 0
        without = minilm.network(**{**found.encoded.inputs, "attention_mask": mask}).last_hidden_state[0]
    kept = torch.cat([without[:3], without[4:]]).mean(0)
    assert result.unit == "embedding length"
    assert result.scores[3] == pytest.approx(float(whole.norm() - kept @ whole / whole.norm()), abs=1e-4)


def test_words_are_sums(minilm: LoadedModel) -> None:
    found = trace(minilm, "Tokenization works.")
    result = attribute(found, "input_x_gradient")
    words = result.per_word(found.tokens)
    assert len(words) == 5
    assert words[1] == pytest.approx(result.scores[1] + result.scores[2])
    assert words.sum() == pytest.approx(result.scores.sum(), rel=1e-4)


def test_cancelling_stops_and_leaves_the_model_usable(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "word " * 40)
    seen: list[float] = []

    def cancel(message: str, fraction: float) -> None:
        seen.append(fraction)
        if len(seen) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        attribute(found, "leave_one_out", progress=cancel)
    assert len(seen) == 2
    assert attribute(found, "input_x_gradient").scores.shape == (len(found.tokens),)


def test_what_does_not_exist_is_named(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "Hello there")
    with pytest.raises(InvalidInput, match=r"no method “magic”.*leave_one_out"):
        attribute(found, "magic")
    with pytest.raises(InvalidInput, match="no choice number 49152"):
        attribute(found, "gradient_norm", 49152)


@pytest.mark.parametrize("name", list(METHODS))
def test_methods_say_what_they_are(name: str) -> None:
    method = METHODS[name]
    assert method.name == name
    assert all([method.title, method.meaning.endswith("."), method.caveat.endswith("."), method.formula, method.source])
    assert method.kind in KINDS
    assert all(option.default and option.meaning.endswith(".") for option in method.options)


def test_groups_are_sums_of_what_is_known(minilm: LoadedModel) -> None:
    found = attribute(trace(minilm, "A man plays."), "gradient_norm")
    scores = np.array([1, np.nan, 2, np.nan, np.nan, 4], np.float32)
    grouped = dataclasses.replace(found, scores=scores).per_group((0, 0, 1, 2, 2, 3))
    np.testing.assert_array_equal(grouped, np.array([1, 2, np.nan, 4], np.float32))
