"""The first promise: every weight equals the model's own, for every layer and head, and it is the weight in use."""

from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import eager
from tiny import ARCHITECTURES, EAGER_ARCHITECTURES, TEXT, make_folder, text_for

from dashboard.engine import LoadedModel, load_model, trace
from dashboard.engine.attention.hooks import AttentionHooks, RowChanges
from dashboard.engine.attention.layers import RebuiltLayer
from dashboard.engine.attention.recording import Recording, recording
from dashboard.engine.models import store

TOLERANCE = 1e-5  # float32, on the same hidden states: softmax in another order of summation moves weights by 4e-7

PROMPTS = ["The capital of France is", "Merci, 你好 café 😀! " * 12]


def assert_equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert theirs.std() > 1e-3, "attention is even: the comparison would say nothing"
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["smollm2", "minilm"])
@pytest.mark.parametrize("text", PROMPTS)
def test_bundled_models_equal_eager(name: str, text: str, request: pytest.FixtureRequest) -> None:
    model: LoadedModel = request.getfixturevalue(name)
    found = trace(model, text)
    twin = eager.load(store.fetch(name), model.task.auto_class, str(model.device))
    theirs = eager.attentions(twin, found.encoded.inputs, found.model.network)
    ours = np.stack([found.attention(layer) for layer in range(model.facts.n_layers)])
    assert_equal(ours, theirs)
    assert model.verification.max_difference <= TOLERANCE
    assert found.output_error is not None
    assert found.output_error <= TOLERANCE


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, device: str) -> LoadedModel:
    folder = make_folder(request.param, tmp_path_factory.mktemp("tiny"))
    return load_model(str(folder), device=device, dtype="float32")


def test_tiny_architectures_equal_eager(tiny: LoadedModel) -> None:
    found = trace(tiny, text_for(tiny.task.kind))
    assert tiny.captures
    assert len(found.tokens) > 10, "sliding windows must be outgrown"
    twin = eager.load(tiny.name, tiny.task.auto_class, str(tiny.device))
    ours = np.stack([found.attention(layer) for layer in range(tiny.facts.n_layers)])
    assert_equal(ours, eager.attentions(twin, found.encoded.inputs, found.model.network))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_respected(tiny: LoadedModel, side: str) -> None:
    """The same inputs, padded, give eager's weights on the rows of real tokens."""
    ids = trace(tiny, text_for(tiny.task.kind)).encoded.inputs["input_ids"]
    pad = torch.full((1, 5), tiny.tokenizer.pad_token_id, device=ids.device)
    ones, zeros = torch.ones_like(ids), torch.zeros_like(pad)
    left = side == "left"
    inputs = {
        "input_ids": torch.cat([pad, ids] if left else [ids, pad], 1),
        "attention_mask": torch.cat([zeros, ones] if left else [ones, zeros], 1),
    }
    with recording(Recording(AttentionHooks(kept_rows=(0,)))) as recorded, tiny.running(), torch.no_grad():
        tiny.network(**inputs)
    real = slice(5, None) if left else slice(0, ids.shape[1])
    n_tokens = inputs["input_ids"].shape[1]
    ours = np.stack(
        [RebuiltLayer(layer).weights(slice(None), slice(0, n_tokens)).cpu().numpy() for layer in recorded.layers[0]]
    )[:, :, real]
    twin = eager.load(tiny.name, tiny.task.auto_class, str(tiny.device))
    assert_equal(ours, eager.attentions(twin, inputs, tiny.network)[:, :, real])
    hidden = slice(0, 5) if left else slice(ids.shape[1], None)
    assert ours[..., hidden].max() == 0


def test_attention_is_what_moves_the_logits(tiny: LoadedModel) -> None:
    inputs = trace(tiny, text_for(tiny.task.kind)).encoded.inputs
    with tiny.running(), torch.no_grad():
        before = tiny.network(**inputs)[0]
        everywhere = RowChanges(flattened=frozenset(tiny.verification.layout.calls))
        with recording(Recording(AttentionHooks((everywhere,)), tiny.verification.layout)):
            flattened = tiny.network(**inputs)[0]
        after = tiny.network(**inputs)[0]
    assert torch.equal(before, after)
    assert float((flattened - before).abs().max()) > 1e-3 * float(before.abs().max())


def test_rows_sum_to_one_and_causal_models_never_look_ahead(tiny: LoadedModel) -> None:
    found = trace(tiny, text_for(tiny.task.kind))
    for layer in range(tiny.facts.n_layers):
        weights = found.attention(layer)
        sums = weights.sum(-1)
        if "GptOss" in tiny.facts.architecture:  # the rest of each row went to the sink
            assert 0 < sums.min() < 0.999
            assert sums.max() <= 1 + 1e-6
        else:
            np.testing.assert_allclose(sums, 1, atol=1e-5)
        if tiny.task.causal:
            assert np.triu(weights, 1).max() == 0


@pytest.mark.parametrize("name", EAGER_ARCHITECTURES)
def test_architectures_without_the_interface_are_read(name: str, tmp_path: Path, device: str) -> None:
    model = load_model(str(make_folder(name, tmp_path)), device=device, dtype="float32")
    assert model.verification.method == "eager"
    found = trace(model, TEXT)
    twin = eager.load(model.name, model.task.auto_class, str(model.device))
    ours = np.stack([found.attention(layer) for layer in range(model.facts.n_layers)])
    assert_equal(ours, eager.attentions(twin, found.encoded.inputs, found.model.network))


def test_one_row_one_head_one_layer_agree(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The capital of France is")
    whole = found.attention(3)
    np.testing.assert_array_equal(found.attention(3, 2), whole[2])
    # Fewer rows mean another matrix product; its rounding may differ in the last place.
    np.testing.assert_allclose(found.attention(3, 2, rows=slice(1, 3)), whole[2, 1:3], atol=1e-6)
