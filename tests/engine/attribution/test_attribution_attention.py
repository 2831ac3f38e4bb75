"""Methods that follow attention back through the layers, against whole matrices from a twin's eager attention."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import attention_methods as oracle
from oracles import eager
from tiny import TEXT, make_folder
from torch.utils._python_dispatch import TorchDispatchMode

from dashboard.commands import measurements
from dashboard.engine import METHODS, Cancelled, LoadedModel, Trace, attribute, load_model, trace
from dashboard.engine.attention import layers as attention_layers
from dashboard.engine.attention.layers import RebuiltLayer
from dashboard.engine.attribution.attribute import ask, chosen_options
from dashboard.engine.attribution.methods import value_zeroing
from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.internals.residual_stream import SplitAttention
from dashboard.engine.internals.wiring import wiring
from dashboard.engine.models import store
from dashboard.engine.progress import silent

FOLLOWING = [name for name, method in METHODS.items() if method.family == "attention"]
SHARES = ["raw_attention", "rollout", "alti", "value_zeroing"]
WITH_A_PLACE = ["llama", "gemma2 (soft cap)", "gpt_oss (sinks)", "bert for masked tokens", "bloom (ALiBi)", "gpt_neo"]


def traced(name: str, folder: Path, device: str, dtype: torch.dtype = torch.float32) -> tuple[Trace, Any]:
    """A tiny model's trace, and its twin by eager attention."""
    model = load_model(str(make_folder(name, folder)), device=device, dtype="float32")
    found = trace(model, TEXT + (" [MASK]" if model.task.kind == "masked token" else ""))
    return found, eager.load(model.name, model.task.auto_class, device, dtype)


def logit(found: Trace, target: int, against: int | None = None) -> Any:
    """Reads the explained number off a twin's outputs."""

    def read(outputs: Any) -> torch.Tensor:
        row = outputs.logits[0] if found.prediction.position is None else outputs.logits[0, found.prediction.position]
        return row[target] if against is None else row[target] - row[against]

    return read


@pytest.mark.parametrize("name", WITH_A_PLACE)
def test_raw_attention_and_rollout_are_rows_of_whole_matrices(name: str, tmp_path: Path, device: str) -> None:
    found, twin = traced(name, tmp_path, device)
    weights, place = eager.attentions(twin, found.encoded.inputs), found.prediction.position
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
    weights = eager.attentions(twin, found.encoded.inputs)
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
    weights = eager.attentions(twin, found.encoded.inputs)
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


def _hooks(network: Any) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


@pytest.mark.parametrize("method", FOLLOWING)
def test_cancelling_leaves_nothing_behind(method: str, tmp_path: Path, device: str) -> None:
    found, _ = traced("llama", tmp_path, device)
    hooks, before = _hooks(found.model.network), attribute(found, method)
    told: list[float | None] = []
    attribute(found, method, progress=lambda message, fraction: told.append(fraction))
    assert told == sorted(told, key=float)  # type: ignore[arg-type]
    assert len(told) >= 3
    for last in range(1, len(told) + 1, max(1, len(told) // 5)):
        seen: list[float | None] = []

        def cancel(message: str, fraction: float | None, seen: list[Any] = seen, last: int = last) -> None:
            seen.append(fraction)
            if len(seen) == last:
                raise Cancelled

        with pytest.raises(Cancelled):
            attribute(found, method, progress=cancel)
        assert len(seen) == last
        assert _hooks(found.model.network) == hooks
    np.testing.assert_array_equal(attribute(found, method).scores, before.scores)


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


def test_values_are_zeroed_with_one_matrix_a_layer(
    tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = traced("llama", tmp_path, device)
    monkeypatch.setattr(value_zeroing, "_LARGEST_BATCH", 2)  # so that no batch has the matrix's shape
    matrices: list[torch.Tensor] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            square = (len(found.tokens),) * 2
            if isinstance(result, torch.Tensor) and result.shape == square and result.dtype == torch.float32:
                matrices.append(result)  # kept, so that no storage is used twice
            return result

    with Watch():
        attribute(found, "value_zeroing")
    assert len({matrix.untyped_storage().data_ptr() for matrix in matrices}) <= 3  # as many as layers


@pytest.mark.parametrize(
    ("method", "name"),
    [
        *((method, "llama") for method in [*FOLLOWING, "integrated_gradients", "shapley"]),
        ("alti", "bert for masked tokens"),  # in these two a norm follows the attention
        ("alti_logit", "gemma2 (soft cap)"),
    ],
)
def test_modules_run_only_while_the_model_is_held(method: str, name: str, tmp_path: Path, device: str) -> None:
    found, _ = traced(name, tmp_path, device)
    options = chosen_options(found, method, {"samples": "10"} if method == "shapley" else {})
    free: list[str] = []

    def look(name: str) -> Any:
        return lambda module, args: None if found.model._lock._is_owned() else free.append(name)  # type: ignore[attr-defined]

    hooks = [module.register_forward_pre_hook(look(name)) for name, module in found.model.network.named_modules()]
    attribute(found, method, options=options)
    for hook in hooks:
        hook.remove()
    assert free == []


@pytest.mark.parametrize("method", ["integrated_gradients", "shapley"])
def test_long_methods_let_others_use_the_model_meanwhile(method: str, tmp_path: Path, device: str) -> None:
    found, _ = traced("llama", tmp_path, device)
    let_in: list[bool] = []

    def another() -> None:
        let_in.append(found.model._lock.acquire(blocking=False))
        if let_in[-1]:
            found.model._lock.release()

    def progress(message: str, fraction: float | None) -> None:
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()

    attribute(found, method, progress=progress)
    assert len(let_in) > 3
    assert all(let_in)


def test_attention_is_split_in_blocks_that_count_heads(
    tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = traced("llama", tmp_path, device)
    layer, wired = found.layers["self"][0], wiring(found.model).present[0]
    assert isinstance(layer, RebuiltLayer)
    monkeypatch.setattr(attention_layers, "BLOCK_WEIGHTS", 1000)
    last = len(found.tokens) - 1
    for keys, parts in SplitAttention(layer, wired).blocks(slice(last, last + 1)):
        n_keys, hidden = keys.stop - keys.start, parts.shape[-1]
        assert n_keys * layer.n_heads * hidden <= 1000  # each head's projected values are there at once


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


@pytest.mark.slow
def test_gradient_x_attention_needs_no_map_of_all_heads_at_2048_tokens(device: str) -> None:
    """Every head's weights alone would be 4.5 GB; what is kept for the way back grows with tokens, not their square."""
    model = load_model("smollm2", device=device, dtype="float32")
    found = trace(model, measurements.text_of(model, 2048))
    with measurements._Peak(model.device) as peak:
        result = attribute(found, "gradient_x_attention")
    assert np.isfinite(result.scores).all()
    assert result.scores.max() > 0
    assert peak.megabytes < 4000


@pytest.mark.parametrize("name", ["llama", "mistral (sliding window)", "bert for masked tokens", "gemma2 (soft cap)"])
def test_small_blocks_change_nothing(name: str, tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long texts are worked through in blocks of rows and keys; here a few numbers fill a block."""
    found, _ = traced(name, tmp_path, device)
    methods = [method for method in FOLLOWING if method != "alti_logit" or "bert" not in name]
    whole = {method: attribute(found, method).scores for method in methods}
    for numbers in (200, 700):
        monkeypatch.setattr(attention_layers, "BLOCK_WEIGHTS", numbers)
        for method in methods:
            np.testing.assert_allclose(attribute(found, method).scores, whole[method], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", FOLLOWING)
def test_costs_are_known_before(method: str, tmp_path: Path, device: str) -> None:
    found, _ = traced("llama", tmp_path, device)
    cost = METHODS[method].cost(found, chosen_options(found, method))
    assert cost.passes > 0
    assert cost.bytes > 0
