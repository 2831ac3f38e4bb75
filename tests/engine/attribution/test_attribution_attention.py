"""Methods that follow attention back through the layers, against whole matrices from a twin's eager attention."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.attribution.twins import FOLLOWING, logit, traced
from oracles import attention_methods as oracle
from oracles import eager
from tiny import TEXT

from dashboard.engine import METHODS, LoadedModel, attribute, trace
from dashboard.engine.attribution.attribute import ask, chosen_options
from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.models import store
from dashboard.engine.progress import silent

SHARES = ["raw_attention", "rollout", "alti", "value_zeroing"]
WITH_A_PLACE = ["llama", "gemma2 (soft cap)", "gpt_oss (sinks)", "bert for masked tokens", "bloom (ALiBi)", "gpt_neo"]


@pytest.mark.parametrize("name", WITH_A_PLACE)
def test_raw_attention_and_rollout_are_rows_of_whole_matrices(name: str, tmp_path: Path, device: str) -> None:
    found, twin = traced(name, tmp_path, device)
    weights, place = eager.attentions(twin, found.encoded.inputs, found.model.network), found.prediction.position
    np.testing.assert_allclose(attribute(found, "rollout").scores, oracle.rollout(weights)[place], atol=1e-5)
    for layer, head in [("mean", "mean"), ("1", "mean"), ("mean", "2"), ("0", "3")]:
        expected, many = weights, [w for w in (layer, head) if w == "mean"]
        expected = weights[:, :, place] if layer == "mean" else weights[int(layer) : int(layer) + 1, :, place]
        expected = expected if head == "mean" else expected[:, int(head) : int(head) + 1]
        result = attribute(found, "raw_attention", options={"layer": layer, "head": head})
        np.testing.assert_allclose(result.scores, expected.mean((0, 1)), atol=1e-5, err_msg=str(many))


@pytest.mark.parametrize("contrast", [False, True])
@pytest.mark.parametrize("name", [*WITH_A_PLACE, "qwen3", "gpt2", "mistral (sliding window)"])
def test_gradient_x_attention_is_a_row_of_the_products(name: str, contrast: bool, tmp_path: Path, device: str) -> None:
    found, twin = traced(name, tmp_path, device)
    against = found.prediction.choices[2].id if contrast else None
    result = attribute(found, "gradient_x_attention", against=against)
    expected = oracle.chefer(twin, found.encoded.inputs, logit(found, result.target.id, against))
    expected = expected[found.prediction.position]
    assert expected.max() > 1e-3
    np.testing.assert_allclose(result.scores, expected, rtol=1e-4, atol=1e-5)


def test_the_bundled_decoder_agrees_with_its_eager_twin(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The capital of France is Paris, and the capital of Italy is")
    twin = eager.load(store.fetch("smollm2"), smollm2.task.auto_class, str(smollm2.device))
    weights = eager.attentions(twin, found.encoded.inputs, found.model.network)
    rolled = attribute(found, "rollout")
    np.testing.assert_allclose(rolled.scores, oracle.rollout(weights)[-1], atol=1e-5)
    assert [check.fine for check in rolled.checks] == [False]
    assert "on the first token" in rolled.checks[0].meaning
    assert rolled.notes == ()  # the check has said it
    result = attribute(found, "gradient_x_attention")
    expected = oracle.chefer(twin.requires_grad_(False), found.encoded.inputs, logit(found, result.target.id))[-1]
    np.testing.assert_allclose(result.scores, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_without_a_place_reading_follows_the_gradient(tmp_path: Path, device: str) -> None:
    """Here a mean over tokens is explained: shares are the lengths of its gradient before the last projection."""
    found, twin = traced("distilbert", tmp_path, device, torch.float64)
    question = ask(found)
    kept: list[torch.Tensor] = []
    hook = twin.transformer.layer[-1].attention.out_lin.register_forward_pre_hook(lambda m, args: kept.append(args[0]))
    with torch.enable_grad():
        pooled = twin(**found.encoded.inputs).last_hidden_state[0].mean(0)
        (gradient,) = torch.autograd.grad(pooled @ (pooled / pooled.norm()).detach(), kept[0])
    hook.remove()
    lengths = np.array([float(np.sqrt((row**2).sum())) for row in gradient[0].double().cpu().numpy()])
    np.testing.assert_allclose(question.reading(silent), lengths / lengths.sum(), atol=1e-5)
    rolled = attribute(found, "rollout")
    weights = eager.attentions(twin, found.encoded.inputs, found.model.network)
    np.testing.assert_allclose(rolled.scores, (lengths / lengths.sum()) @ oracle.rollout(weights), atol=1e-5)
    assert "whole text" in rolled.notes[0]


def test_without_a_place_eager_models_are_read_at_their_weights(tmp_path: Path, device: str) -> None:
    found, _ = traced("gpt_neo for classes", tmp_path, device)
    reading = ask(found).reading(silent)
    assert reading.argmax() == len(found.tokens) - 1  # this classifier reads the last token alone
    assert reading[-1] == pytest.approx(1)
    assert attribute(found, "raw_attention").scores.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["llama", "gemma3 (sliding window)", "bert for classes", "distilbert"])
@pytest.mark.parametrize("method", SHARES)
def test_shares_are_never_negative_and_sum_to_one(method: str, name: str, tmp_path: Path, device: str) -> None:
    found, _ = traced(name, tmp_path, device)
    scores = attribute(found, method).scores
    assert scores.min() >= 0
    assert scores.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("method", FOLLOWING)
def test_other_embeddings_are_answered_too(method: str, tmp_path: Path, device: str) -> None:
    found, _ = traced("llama", tmp_path, device)
    question, options = ask(found), chosen_options(found, method)
    same = METHODS[method].run(question.moved(question.embeddings()), options, silent)
    np.testing.assert_allclose(same.scores, attribute(found, method).scores, atol=1e-5)
    other = METHODS[method].run(question.moved(question.embeddings().roll(1, 0)), options, silent)
    assert np.abs(other.scores - same.scores).max() > 1e-4


@pytest.mark.parametrize("method", FOLLOWING)
def test_scores_are_for_the_target_or_say_that_they_are_not(method: str, tmp_path: Path, device: str) -> None:
    found, _ = traced("llama", tmp_path, device)
    one, other = (attribute(found, method, target).scores for target in (3, 44))
    assert (np.abs(one - other).max() > 1e-3) == METHODS[method].for_target


class _Mean(torch.nn.Module):
    def forward(self, states: torch.Tensor, *unused: Any, **also_unused: Any) -> torch.Tensor:
        return states.mean(1)


@pytest.mark.parametrize("method", ["raw_attention", "leave_one_out"])
def test_without_a_place_the_target_decides_where_following_starts(method: str, tmp_path: Path, device: str) -> None:
    decoder, _ = traced("llama", tmp_path / "decoder", device)
    assert attribute(decoder, method).for_target == METHODS[method].for_target
    found, _ = traced("bert for classes", tmp_path / "classes", device)
    found.model.network.bert.pooler = _Mean()
    found = trace(found.model, TEXT)
    one, other = (attribute(found, method, target) for target in (0, 1))
    assert np.abs(one.scores - other.scores).max() > 1e-5
    assert one.for_target


def test_layers_and_heads_that_do_not_exist_are_named(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "Hello there")
    with pytest.raises(InvalidInput, match="no layer of “Raw attention” here"):
        attribute(found, "raw_attention", options={"layer": "30"})
    with pytest.raises(InvalidInput, match="no head of “Value-weighted attention” here"):
        attribute(found, "value_weighted", options={"head": "9"})


def test_weights_that_are_only_copies_are_refused(tmp_path: Path, device: str) -> None:
    found, _ = traced("gpt_neo", tmp_path, device)
    network = found.model.network
    forward = network.forward

    def copies(*args: Any, **kwargs: Any) -> Any:
        outputs = forward(*args, **kwargs)
        outputs.attentions = tuple(weights * 1 for weights in outputs.attentions)
        return outputs

    copies.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    network.forward = copies
    with pytest.raises(Unsupported, match="very attention weights"):
        attribute(found, "gradient_x_attention")
