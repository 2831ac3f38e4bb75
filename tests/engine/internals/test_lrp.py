"""AttnLRP against explicit rules layer by layer, and what it does to a model: nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import eager, lrp
from tiny import TEXT, make_folder

from dashboard.engine import Cancelled, LoadedModel, attribute, load_model, trace
from dashboard.engine.attention.recording import Recording
from dashboard.engine.errors import Unsupported
from dashboard.engine.internals.lrp import relevance_rules
from dashboard.engine.internals.lrp_rules import rms_norm_slope

KNOWN = [
    "llama",
    "qwen3",
    "mistral (sliding window)",
    "gpt2",
    "gemma2 (soft cap)",
    "gemma3 (sliding window)",
    "bert",
    "bert for masked tokens",
    "bert for classes",
    "distilbert",
    "llama for classes",
]
WITHOUT_BIASES = ["llama", "qwen3", "mistral (sliding window)", "gemma2 (soft cap)", "llama for classes"]


def opened(name: str, folder: Path, device: str) -> tuple[LoadedModel, Any]:
    model = load_model(str(make_folder(name, folder)), device=device, dtype="float32")
    return model, trace(model, TEXT + (" [MASK]" if model.task.kind == "masked token" else ""))


@pytest.mark.parametrize(("name", "rules"), [("llama", lrp.llama), ("bert for classes", lrp.bert)])
@pytest.mark.parametrize("target", [None, 1])
def test_relevance_is_what_explicit_rules_give(
    name: str, rules: Any, target: int | None, tmp_path: Path, device: str
) -> None:
    model, found = opened(name, tmp_path, device)
    result = attribute(found, "attn_lrp", target)
    twin = eager.load(model.name, model.task.auto_class, dtype=torch.float64)
    expected, logit = rules(twin, found.encoded.inputs["input_ids"].cpu(), result.target.id)
    assert logit == pytest.approx(result.target.logit, rel=1e-4)  # the oracle runs the same model
    np.testing.assert_allclose(result.scores, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("weights", ["followed", "constant"])
@pytest.mark.parametrize("name", KNOWN)
def test_tokens_biases_and_softmax_get_the_whole_logit(name: str, weights: str, tmp_path: Path, device: str) -> None:
    _, found = opened(name, tmp_path, device)
    result = attribute(found, "attn_lrp", options={"weights": weights})
    balance, conservation = result.checks
    assert balance.name == "balance"
    assert balance.value < 1e-5
    assert np.isfinite(result.scores).all()
    if weights == "constant" and name in WITHOUT_BIASES:
        assert result.scores.sum() == pytest.approx(result.target.logit, rel=1e-4)
        assert conservation.value < 1e-4


@pytest.mark.parametrize(
    ("name", "reason"), [("gpt_oss (sinks)", "“max”"), ("bloom (ALiBi)", "read directly"), ("gpt_neo", "read directly")]
)
def test_models_without_rules_are_refused_with_the_reason(name: str, reason: str, tmp_path: Path, device: str) -> None:
    _, found = opened(name, tmp_path, device)
    with pytest.raises(Unsupported, match=rf"{reason}.*input × gradient"):
        attribute(found, "attn_lrp")


def test_the_model_is_itself_again_whatever_happens(tmp_path: Path, device: str) -> None:
    model, found = opened("gpt2", tmp_path, device)
    before = attribute(found, "input_x_gradient").scores
    for stop_at in (2, 5):  # on the way there, on the way back
        calls = 0

        def cancel(message: str, fraction: float | None, stop_at: int = stop_at) -> None:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise Cancelled

        with pytest.raises(Cancelled):
            attribute(found, "attn_lrp", progress=cancel)
        assert calls == stop_at
    assert not [module for module in model.network.modules() if "forward" in vars(module)]
    np.testing.assert_array_equal(attribute(found, "input_x_gradient").scores, before)
    assert not np.allclose(attribute(found, "attn_lrp").scores, before)


def test_what_is_no_rms_norm_is_not_taken_for_one() -> None:
    x = torch.randn(2, 5, 8)
    weight = torch.randn(8)
    slope = rms_norm_slope(lambda x: weight * x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt(), x)
    assert slope is not None
    torch.testing.assert_close(slope, weight / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt(), rtol=1e-4, atol=1e-5)
    assert rms_norm_slope(lambda x: torch.nn.functional.layer_norm(x, (8,)), x) is None
    assert rms_norm_slope(lambda x: torch.tanh(x), x) is None


def test_an_operation_without_a_rule_is_named() -> None:
    x = torch.randn(3, requires_grad=True)
    with relevance_rules(torch.nn.Identity(), "A model", Recording()):
        assert torch.equal((x * 2 + 1)[1:], x[1:] * 2 + 1)
        for operation, name in ((torch.exp, "exp"), (torch.sigmoid, "sigmoid"), (lambda x: 1 / x, "rdiv|reciprocal")):
            with pytest.raises(Unsupported, match=name):
                operation(x)


def test_embeddings_that_belong_to_no_token_are_explained_too(tmp_path: Path, device: str) -> None:
    """A moved question has embeddings instead of tokens; its relevance is that of the embeddings."""
    from dashboard.engine.attribution.attribute import ask, chosen_options
    from dashboard.engine.attribution.method import METHODS

    _, found = opened("qwen3", tmp_path, device)
    question = ask(found)
    there = question.moved(question.embeddings() * 1.01)
    options = chosen_options(found, "attn_lrp")
    scored = METHODS["attn_lrp"].run(there, options, lambda message, fraction: None)
    assert all(check.fine for check in scored.checks)
    assert not np.allclose(scored.scores, METHODS["attn_lrp"].run(question, options, lambda *_: None).scores)
