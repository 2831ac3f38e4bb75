"""What became of every head: against scipy's divergence, row by row."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.spatial.distance import jensenshannon
from tiny import TEXT, make_folder

from dashboard.engine import LoadedModel, load_model, trace
from dashboard.engine.errors import InvalidInput
from dashboard.engine.head_analysis.drift import head_changes


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(str(make_folder("bert for classes", tmp_path_factory.mktemp("base"))))


@pytest.fixture(scope="module")
def tuned(base: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """The same with one layer's queries moved."""
    folder = tmp_path_factory.mktemp("tuned") / "model"
    shutil.copytree(base.name, folder)
    weights = load_file(folder / "model.safetensors")
    name = "bert.encoder.layer.1.attention.self.query.weight"
    weights[name] = weights[name] + 0.2 * torch.randn(weights[name].shape, generator=torch.Generator().manual_seed(1))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return load_model(str(folder))


def test_each_head_moves_by_its_rows_divergence(base: LoadedModel, tuned: LoadedModel) -> None:
    before, after = trace(base, TEXT), trace(tuned, TEXT)
    found = head_changes(before, after)
    for layer in range(3):
        for head in range(4):
            rows = zip(before.attention(layer, head), after.attention(layer, head), strict=True)
            expected = np.mean([jensenshannon(p, q, base=2) ** 2 for p, q in rows])
            assert found[layer, head] == pytest.approx(expected, abs=2e-5)
    assert found[0].max() < 1e-6  # below the changed layer nothing moved
    assert found[1].min() > 1e-3
    assert found[2].max() > 1e-5


def test_a_model_that_stays_as_it_is_does_not_move(base: LoadedModel) -> None:
    made = trace(base, TEXT)
    assert head_changes(made, made).max() < 1e-6


def test_models_of_other_shapes_are_refused(base: LoadedModel, tmp_path: Path) -> None:
    other = load_model(str(make_folder("gpt_neo", tmp_path)))
    with pytest.raises(InvalidInput, match="same layers and heads"):
        head_changes(trace(base, TEXT), trace(other, TEXT))


def test_other_tokens_are_refused(base: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="same tokens"):
        head_changes(trace(base, TEXT), trace(base, TEXT[:-20]))
