"""Head importance against finite differences on a twin that never heard of capturing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import eager
from oracles.importance import by_scaling
from tiny import TEXT, make_folder

from dashboard.engine import Cancelled, LoadedModel, head_importance, load_model, trace
from dashboard.engine.errors import InvalidInput, Unsupported

PROJECTIONS: dict[str, Callable[[Any], list[Any]]] = {
    "llama": lambda model: [layer.self_attn.o_proj for layer in model.model.layers],
    "gemma2 (soft cap)": lambda model: [layer.self_attn.o_proj for layer in model.model.layers],
    "gpt2": lambda model: [layer.attn.c_proj for layer in model.transformer.h],
    "bert for classes": lambda model: [layer.attention.output.dense for layer in model.bert.encoder.layer],
}


@pytest.mark.parametrize("target", [None, 2])
@pytest.mark.parametrize("name", list(PROJECTIONS))
def test_importance_is_the_derivative_along_each_heads_output(
    name: str, target: int | None, tmp_path: Path, device: str
) -> None:
    folder = make_folder(name, tmp_path)
    model = load_model(str(folder), device=device, dtype="float32")
    found = trace(model, TEXT)
    result = head_importance(found, target)
    twin = eager.load(folder, model.task.auto_class, device, torch.float64)
    wanted = found.choice(target).id

    def logit(network: Any) -> float:
        logits = network(**found.encoded.inputs).logits[0]
        return float(logits[wanted] if logits.dim() == 1 else logits[-1, wanted])

    expected = by_scaling(twin, PROJECTIONS[name](twin), found.sites[0].n_heads, logit)
    assert expected.min() >= 0
    assert expected.std() > 1e-3 * expected.max() > 0
    np.testing.assert_allclose(result, expected, rtol=2e-3, atol=2e-3 * expected.max())


def test_looking_for_importance_leaves_no_gradients_behind(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The capital of France is")
    first = head_importance(found)
    assert first.shape == (30, 9)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, head_importance(found))
    assert all(parameter.grad is None for parameter in smollm2.network.parameters())
    again = trace(smollm2, "The capital of France is")
    assert not again.logits.requires_grad


def test_it_tells_how_far_it_is_and_stops_on_the_way_there_and_back(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The capital of France is")
    for last in (10, 45):
        seen: list[float] = []

        def stop(message: str, fraction: float | None, seen: list[float] = seen, last: int = last) -> None:
            seen.append(fraction or 0)
            if len(seen) == last:
                raise Cancelled

        with pytest.raises(Cancelled):
            head_importance(found, progress=stop)
        assert seen == sorted(seen)
        assert len(seen) == last
    assert 1 / 3 < seen[-1] < 1


def test_what_cannot_be_asked_is_named(smollm2: LoadedModel, tmp_path: Path, device: str) -> None:
    with pytest.raises(InvalidInput, match="no choice number"):
        head_importance(trace(smollm2, "Hello"), 10**7)
    bloom = load_model(str(make_folder("bloom (ALiBi)", tmp_path)), device=device, dtype="float32")
    with pytest.raises(Unsupported, match="read directly"):
        head_importance(trace(bloom, TEXT))
