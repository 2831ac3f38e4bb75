"""What one pass keeps and reads: row by row, module by module, beside other passes through the same network."""

import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TEXT, make_folder
from tiny_vision import photo

from dashboard.engine import LoadedModel, load_model, trace
from dashboard.engine.attention.hooks import UNCHANGED, AttentionHooks, RowChanges
from dashboard.engine.attention.layers import RebuiltLayer
from dashboard.engine.attention.recording import ModuleHook, Recording, recording
from dashboard.engine.tracing.forward import forward
from tests.oracles import eager

ROOT = Path(__file__).resolve().parents[3]
AT = 3
HIDDEN = RowChanges(hidden_keys=frozenset({AT}))
SILENCED = RowChanges(silenced_values=frozenset({AT}))
FLATTENED = RowChanges(flattened=frozenset({("self", 1)}))
CHANGES = {"hidden": HIDDEN, "silenced": SILENCED, "flattened": FLATTENED}


def hooks(*changes: RowChanges) -> AttentionHooks:
    return AttentionHooks(changes)


SIDE_BY_SIDE = {"plain": UNCHANGED, "hidden": hooks(HIDDEN)}


@pytest.fixture(scope="module", params=["llama", "gpt_oss (sinks)", "mistral (sliding window)", "bert for classes"])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(str(make_folder(request.param, tmp_path_factory.mktemp("tiny"))), device="cpu")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(str(make_folder("llama", tmp_path_factory.mktemp("llama"))), device="cpu")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_rows_whose_keys_are_all_hidden_are_drawn_as_computed(dtype: str, tmp_path: Path) -> None:
    """Every row's rebuilt weights times values, beside what the kernel put out: the check of a trace sees the last."""
    model = load_model(str(make_folder("llama", tmp_path)), device="cpu", dtype=dtype)
    into = Recording(AttentionHooks((RowChanges(hidden_keys=frozenset({0})),), (0,), keep_contexts=True))
    with model.running(), torch.no_grad():
        forward(model, trace(model, TEXT).encoded.inputs, into=into)
    for captured, context in zip(into.layers[0], into.contexts, strict=True):
        layer = RebuiltLayer(captured)
        weights = layer.weights(slice(None), slice(0, layer.n_queries))
        value = captured.value.float().repeat_interleave(layer.n_heads // layer.n_kv_heads, 0)
        rebuilt, own = (weights @ value).transpose(0, 1), context.values[0].detach().float()
        assert float((rebuilt - own).abs().max() / own.abs().max()) < (1e-5 if dtype == "float32" else 2e-2)


def test_patches_are_hidden_where_each_head_has_a_bias(tmp_path: Path) -> None:
    """BEiT's position bias comes as a mask: what is hidden in it is no bias."""
    opened = load_model(str(make_folder("beit (relative positions)", tmp_path)), device="cpu")
    image = photo()
    plain, hidden = trace(opened, image), trace(opened, image, hooks=hooks(RowChanges(hidden_keys=frozenset({2}))))
    assert hidden.output_error is not None
    assert hidden.output_error < 1e-5
    for layer in range(opened.facts.n_layers):
        assert hidden.attention(layer)[..., 2].max() == 0
    rest = np.delete(plain.attention(0), 2, axis=-1)
    np.testing.assert_allclose(
        np.delete(hidden.attention(0), 2, axis=-1), rest / rest.sum(-1, keepdims=True), atol=1e-5
    )


def test_a_recording_holds_one_pass(llama: LoadedModel) -> None:
    into, inputs = Recording(), trace(llama, TEXT).encoded.inputs
    with llama.running(), torch.no_grad():
        forward(llama, inputs, into=into)
        with pytest.raises(ValueError, match="filled by one pass"):
            forward(llama, inputs, into=into)


def test_all_hooks_of_a_module_run_in_their_order(llama: LoadedModel) -> None:
    seen: list[str] = []
    into = Recording()
    for name in ("first", "second"):
        hook = ModuleHook(after=lambda module, args, kwargs, output, name=name: seen.append(name))
        into.hook(llama.network.lm_head, hook)
    with llama.running(), torch.no_grad():
        forward(llama, trace(llama, TEXT).encoded.inputs, into=into)
    assert seen == ["first", "second"]


def test_each_row_of_a_batch_has_its_own_changes(llama: LoadedModel) -> None:
    rows = (HIDDEN, RowChanges(), SILENCED, FLATTENED)
    ids = trace(llama, TEXT).encoded.inputs["input_ids"]
    with llama.running(), torch.no_grad():
        together = forward(llama, {"input_ids": ids.expand(len(rows), -1)}, into=Recording(AttentionHooks(rows))).logits
    for row, changes in enumerate(rows):
        alone = trace(llama, TEXT, hooks=hooks(changes)).logits
        torch.testing.assert_close(together[row, -1].float(), alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_every_kept_row_has_its_own_padding(tiny: LoadedModel, side: str) -> None:
    """Two texts of different lengths in one pass: both rows are eager's on their own tokens."""
    short, long = ("The capital of France", TEXT)
    rows = [trace(tiny, text).encoded.inputs["input_ids"][0] for text in (short, long)]
    n_tokens = max(map(len, rows))
    ids = torch.full((2, n_tokens), tiny.tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    real = [slice(n_tokens - len(row), None) if side == "left" else slice(0, len(row)) for row in rows]
    for index, (row, place) in enumerate(zip(rows, real, strict=True)):
        ids[index, place], mask[index, place] = row, 1
    into = Recording(AttentionHooks(kept_rows=(1, 0)))
    with tiny.running(), torch.no_grad():
        forward(tiny, {"input_ids": ids, "attention_mask": mask}, into=into)
    twin = eager.load(tiny.name, tiny.task.auto_class, str(tiny.device))
    own = eager.outputs(twin, {"input_ids": ids, "attention_mask": mask}, tiny.network).attentions
    for row, place in enumerate(real):
        for captured, theirs in zip(into.layers[row], own, strict=True):
            ours = RebuiltLayer(captured).weights(slice(None), slice(0, n_tokens))
            torch.testing.assert_close(ours[:, place], theirs[row][:, place].float(), atol=1e-5, rtol=0)
            hidden = torch.ones(n_tokens, dtype=torch.bool)
            hidden[place] = False
            assert not hidden.any() or float(ours[:, place][..., hidden].max()) == 0


def test_passes_run_side_by_side_through_one_network(llama: LoadedModel) -> None:
    """Two threads inside the network at once, layer by layer, without the model's lock: one changes, one reads."""
    ids = trace(llama, TEXT).encoded.inputs["input_ids"]
    alone = {name: trace(llama, TEXT, hooks=changed).logits for name, changed in SIDE_BY_SIDE.items()}
    layer_by_layer = threading.Barrier(2, timeout=30)
    seen: list[torch.nn.Module] = []
    logits: dict[str, torch.Tensor] = {}

    def work(name: str) -> None:
        into = Recording(SIDE_BY_SIDE[name], llama.verification.layout, lambda n_done: layer_by_layer.wait() and None)
        if name == "plain":
            into.every_module = ModuleHook(after=lambda module, args, kwargs, output: seen.append(module))
        with torch.no_grad(), recording(into):
            logits[name] = llama.network(input_ids=ids).logits[0, -1].float()

    threads = [threading.Thread(target=work, args=(name,)) for name in SIDE_BY_SIDE]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for name, expected in alone.items():
        torch.testing.assert_close(logits[name], expected, atol=1e-5, rtol=1e-4)
    assert sum(module is llama.network for module in seen) == 1, "the other thread's modules were read too"


def test_no_pass_registers_hooks_or_replaces_a_forward() -> None:
    """Passes run side by side through one network: what they change may not stand in its modules."""
    sign = re.compile(r"register_(module_)?(full_)?(forward|backward)_|\.forward = |setattr\([^)]*forward")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "dashboard").rglob("*.py")
        if sign.search(path.read_text("utf-8"))
    }
    assert found == {"dashboard/engine/attention/module_hooks.py"}
