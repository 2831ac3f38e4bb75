"""Architectures beyond those of tiny.py, each opened and traced as a user would and compared weight by weight.

`python -m tests.architectures` does this for all that transformers has; here are those that stand for the others.
"""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from dashboard.engine import LoadedModel, load_model, trace
from tests.architectures.builders import build
from tests.architectures.listing import Architecture, architectures
from tests.architectures.sweep import RESULT, TOLERANCE, Wrong, compare, examine, given
from tests.oracles import sites
from tests.tiny import TEXT

CAPTURED = {
    "causal": "apertus bart cohere2 exaone4 falcon_h1 gemma gemma3 gemma4_text glm4 gpt_neox granite llama4_text "
    "longcat_flash mixtral olmo2 olmoe opt phi3 qwen2 smollm3 starcoder2",
    "masked": "albert electra eurobert layoutlm modernbert roberta",
}
READ = {"causal": "codegen deepseek_v32 falcon gptj mpt", "masked": "convbert deberta deberta-v2 mpnet"}
HYBRIDS = {
    "bamba": [0, 2],
    "granitemoehybrid": [0, 2],
    "jamba": [0, 2],
    "lfm2": [0, 2],
    "minimax": [1],
    "nemotron_h": [0, 1, 3],
    "qwen3_next": [0, 1],
    "recurrent_gemma": [0, 1],
    "zamba": [0, 2],
    "zamba2": [0, 2],
}
"""Layers without softmax attention, by architecture."""
REFUSED = {
    "mamba": "has no softmax attention",
    "rwkv": "has no softmax attention",
    "xlnet": "looks ahead although the model is causal",
}


def find(kind: str, model_type: str) -> Architecture:
    (found,) = (each for each in architectures() if (each.kind, each.model_type) == (kind, model_type))
    return found


def listed(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(kind, name) for kind, several in names.items() for name in several.split()]


@pytest.mark.parametrize(("kind", "name"), listed(CAPTURED))
def test_what_uses_the_interface_is_captured_exactly(kind: str, name: str, tmp_path: Path) -> None:
    finding = examine(find(kind, name), tmp_path / "model")
    assert (finding.outcome, finding.reason) == ("exact by capture", "")
    assert finding.difference is not None
    assert finding.difference <= TOLERANCE
    assert finding.gaps is None


@pytest.mark.parametrize(("kind", "name"), listed(READ))
def test_what_does_not_is_read_exactly(kind: str, name: str, tmp_path: Path) -> None:
    finding = examine(find(kind, name), tmp_path / "model")
    assert (finding.outcome, finding.reason) == ("exact by eager", "")


@pytest.mark.parametrize("name", HYBRIDS)
def test_layers_without_softmax_attention_stay_empty(name: str, tmp_path: Path) -> None:
    finding = examine(find("causal", name), tmp_path / "model")
    assert (finding.outcome, finding.reason) == ("exact by capture", "")
    assert finding.gaps == {"self": HYBRIDS[name]}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shown_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    finding = examine(find("causal", name), tmp_path / "model")
    assert finding.outcome == "refused"
    assert REFUSED[name] in finding.reason


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_the_reference_knows_sites_and_layers_of_encoder_decoders(name: str, tmp_path: Path) -> None:
    architecture = find("seq2seq", name)
    folder = build(architecture, tmp_path / "model")
    kind = getattr(transformers, architecture.class_name)
    twin = kind.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.arange(5, 25)[None]
    _, found = sites.attentions(twin, {"input_ids": ids, "decoder_input_ids": ids[:, :8]})
    shapes = {site: {layer: weights.shape for layer, weights in layers.items()} for site, layers in found.items()}
    assert shapes == {
        "encoder": dict.fromkeys(range(2), (4, 20, 20)),
        "decoder": dict.fromkeys(range(3), (4, 8, 8)),
        "cross": dict.fromkeys(range(3), (4, 8, 20)),
    }


def test_the_comparison_notices_what_is_wrong(tmp_path: Path) -> None:
    """A weight that differs, a layer at another place, outputs of another model: each is found."""
    folder = build(find("causal", "jamba"), tmp_path / "model")
    found = trace(load_model(str(folder), device="cpu", dtype="float32"), TEXT)
    twin = transformers.JambaForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    assert compare(found, twin)[1] == {"self": [0, 2]}

    first, second, third, fourth = found.layers["self"]
    moved = replace(found, layers={"self": (second, first, third, fourth)})
    with pytest.raises(Wrong, match="attention in"):
        compare(moved, twin)
    with pytest.raises(Wrong, match="other outputs"):
        compare(replace(found, logits=found.logits * 1.1), twin)
    with torch.no_grad():
        twin.model.layers[1].self_attn.q_proj.weight[0] *= 1.1
    with pytest.raises(Wrong, match="weights differ"):
        compare(found, twin)


ROUNDED = {"causal": "codegen mixtral zamba2", "masked": "deberta", "seq2seq": "bart t5", "image": "vit"}


def opened(kind: str, name: str, folder: Path) -> tuple[LoadedModel, Any]:
    """The model, and its twin by eager attention whose hidden states are off by 1e-5 of themselves from the start.

    That is some twenty times as much as a processor that sums in another order.
    """
    architecture = find(kind, name)
    build(architecture, folder)
    twin = getattr(transformers, architecture.class_name).from_pretrained(folder, attn_implementation="eager").eval()
    noise = torch.Generator().manual_seed(0)
    halves = [module for name, module in twin.named_modules() if name.endswith("coder.embed_tokens")]
    for embedder in halves or [twin.get_input_embeddings()]:
        embedder.register_forward_hook(
            lambda module, args, states: states * (1 + 1e-5 * torch.randn(states.shape, generator=noise))
        )
    return load_model(str(folder), device="cpu", dtype="float32"), twin


@pytest.mark.parametrize(("kind", "name"), listed(ROUNDED))
def test_what_was_rounded_before_a_layer_is_not_held_against_it(kind: str, name: str, tmp_path: Path) -> None:
    model, twin = opened(kind, name, tmp_path / "model")
    source, options = given(model, kind)
    found = trace(model, source, **options)
    _, own = sites.attentions(twin, found.encoded.inputs)
    drift = max(
        float(np.abs(found.attention(layer, site=site) - weights).max())
        for site, layers in own.items()
        for layer, weights in layers.items()
    )
    assert drift > TOLERANCE, "the copies agree without it: the comparison would say nothing"
    assert compare(found, twin)[0] <= TOLERANCE


def _scale(network: Any) -> None:
    for module in network.modules():
        if hasattr(module, "scaling"):
            module.scaling *= 1.01


def _see_all(network: Any) -> None:
    for module in network.modules():
        if hasattr(module, "is_causal"):
            module.is_causal = False
            module.register_forward_pre_hook(lambda m, a, k: (a, {**k, "attention_mask": None}), with_kwargs=True)


def _turn(network: Any) -> None:
    network.model.rotary_emb.inv_freq *= 1.01


def _read_other_values(network: Any) -> None:
    with torch.no_grad():
        network.model.layers[1].self_attn.v_proj.weight *= 1.01


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (_scale, "weights differ"),
        (_see_all, "weights differ"),
        (_turn, "weights differ"),
        (_read_other_values, "attention puts out differs"),
    ],
)
def test_a_fault_is_found_on_the_same_hidden_states(fault: Any, message: str, tmp_path: Path) -> None:
    """Scores off by 1%, a missing mask, positions turned too far, other values: in the copy that is traced."""
    model, twin = opened("causal", "qwen2", tmp_path / "model")
    text, _ = given(model, "causal")
    assert compare(trace(model, text), twin)[0] <= TOLERANCE
    fault(model.network)
    with pytest.raises(Wrong, match=message):
        compare(trace(model, text), twin)


def test_nothing_is_drawn_wrong() -> None:
    """What the last run of the whole sweep wrote, from which the table of docs/architectures.md is made."""
    rows = json.loads(RESULT.read_text())
    outcomes = Counter(row["outcome"] for row in rows)
    assert set(outcomes) <= {"exact by capture", "exact by eager", "refused", "cannot be built tiny"}
    assert outcomes["exact by capture"] + outcomes["exact by eager"] >= 60
    assert all(row["difference"] <= TOLERANCE for row in rows if "difference" in row)
    assert all(row["reason"] for row in rows if not row["outcome"].startswith("exact"))
    assert [(row["kind"], row["model_type"]) for row in rows] == [(a.kind, a.model_type) for a in architectures()]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_sweep_gives_what_is_written(tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    subprocess.run(
        [sys.executable, "-m", "tests.architectures", "--out", str(again)], cwd=RESULT.parents[1], check=True
    )
    told = ("kind", "model_type", "outcome", "gaps", "reason")
    expected, found = (
        [{name: row.get(name) for name in told} for row in json.loads(path.read_text())] for path in (RESULT, again)
    )
    assert found == expected
