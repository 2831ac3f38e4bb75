"""LoRA adapters: merged, they compute what peft computes; what cannot be merged exactly is refused."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny import TEXT, make_folder

from dashboard.engine import EngineError, load_model, trace
from dashboard.engine.errors import BrokenModel, ModelNotFound, NotAllowed, Unsupported
from dashboard.engine.models.access import Access

# peft asks the models in old words.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def make_adapter(base: Path, folder: Path, auto_class: Any, *, base_name: str = "", **lora: Any) -> tuple[Path, Any]:
    """An adapter with random weights, saved by peft, and peft's own model with it."""
    torch.manual_seed(1)
    options = {"num_labels": 3} if lora.get("task_type") == "SEQ_CLS" else {}
    network = auto_class.from_pretrained(base, dtype=torch.float32, **options)
    own = peft.get_peft_model(network, peft.LoraConfig(r=4, lora_alpha=16, init_lora_weights=False, **lora)).eval()
    own.save_pretrained(folder)
    change_config(folder, base_model_name_or_path=base_name or str(base))
    return folder, own


@pytest.fixture
def llama(tmp_path: Path) -> tuple[Path, Any]:
    base = make_folder("llama", tmp_path / "base")
    return make_adapter(
        base,
        tmp_path / "adapter",
        transformers.AutoModelForCausalLM,
        base_name="../base",
        task_type="CAUSAL_LM",
        target_modules=["q_proj", "v_proj", "down_proj"],
    )


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


def logits_of(network: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(**inputs).logits
    return found


def expect(kind: type[EngineError], folder: Path, words: str, **options: Any) -> None:
    with pytest.raises(kind, match=words) as raised:
        load_model(str(folder), device="cpu", **options)
    assert raised.value.cause
    assert raised.value.remedy


def test_a_merged_adapter_computes_what_peft_computes(llama: tuple[Path, Any]) -> None:
    folder, own = llama
    model = load_model(str(folder), device="cpu")
    assert (model.title, model.task.kind) == ("adapter", "next token")
    assert model.captures
    found = trace(model, TEXT)
    expected = logits_of(own, found.encoded.inputs)
    assert torch.allclose(logits_of(model.network, found.encoded.inputs), expected, atol=1e-4)
    plain = load_model(str(folder.parent / "base"), device="cpu")
    assert not torch.allclose(logits_of(plain.network, found.encoded.inputs), expected, atol=1e-2)


@pytest.mark.parametrize("extra", [{"use_dora": True}, {"use_rslora": True}, {"rank_pattern": {"q_proj": 2}}])
def test_its_variants_too(tmp_path: Path, extra: dict[str, Any]) -> None:
    base = make_folder("llama", tmp_path / "base")
    made = transformers.AutoModelForCausalLM
    folder, own = make_adapter(base, tmp_path / "a", made, task_type="CAUSAL_LM", target_modules=["q_proj"], **extra)
    model = load_model(str(folder), device="cpu")
    inputs = trace(model, TEXT).encoded.inputs
    assert torch.allclose(logits_of(model.network, inputs), logits_of(own, inputs), atol=1e-4)


@pytest.mark.parametrize("named", [False, True])
def test_a_classifier_of_the_adapter_is_its_own(tmp_path: Path, named: bool) -> None:
    base = make_folder("bert", tmp_path / "base")
    made = transformers.AutoModelForSequenceClassification
    folder, own = make_adapter(base, tmp_path / "a", made, task_type="SEQ_CLS", target_modules=["query", "value"])
    names = {"0": "good", "1": "bad", "2": "so so"}
    if named:
        (folder / "config.json").write_text(json.dumps({"id2label": names}))
    model = load_model(str(folder), device="cpu")
    assert (model.task.kind, model.facts.architecture) == ("sequence class", "BertForSequenceClassification")
    found = trace(model, TEXT)
    expected = logits_of(own, found.encoded.inputs)
    assert expected.shape == (1, 3)
    assert torch.allclose(logits_of(model.network, found.encoded.inputs), expected, atol=1e-5)
    shown = {choice.label.text for choice in found.prediction.choices}
    assert shown == (set(names.values()) if named else {"LABEL_0", "LABEL_1", "LABEL_2"})


def test_a_base_that_is_not_there(llama: tuple[Path, Any]) -> None:
    folder, _ = llama
    change_config(folder, base_model_name_or_path="./gone")
    expect(ModelNotFound, folder, "base model is not here.*base_model_name_or_path")
    change_config(folder, base_model_name_or_path="")
    expect(BrokenModel, folder, "does not name the model")
    shutil.copytree(folder, folder.parent / "other")
    change_config(folder, base_model_name_or_path="../other")
    change_config(folder.parent / "other", base_model_name_or_path="../base")
    expect(BrokenModel, folder, "is an adapter itself")


def test_a_base_outside_of_what_visitors_may_open(llama: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = llama
    expect(NotAllowed, folder, "does not open the path", access=Access(folders=(folder,)))
    assert load_model(str(folder), device="cpu", access=Access(folders=(tmp_path,))).captures


def test_the_adapter_of_another_model(llama: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = llama
    make_folder("gpt2", tmp_path / "other")
    change_config(folder, base_model_name_or_path="../other")
    expect(BrokenModel, folder, "does not fit its base model.*q_proj|does not fit its base model.*arget modules")


def test_pickled_missing_and_damaged_adapters(llama: tuple[Path, Any]) -> None:
    folder, _ = llama
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-50])
    expect(BrokenModel, folder, "damaged or cut short")
    (folder / WEIGHTS).unlink()
    expect(BrokenModel, folder, "without its adapter_model.safetensors")
    (folder / "adapter_model.bin").write_bytes(b"pickle")
    expect(BrokenModel, folder, "pickled adapter only")
    (folder / CONFIG).write_text("{")
    expect(BrokenModel, folder, "pickled adapter only")
    (folder / WEIGHTS).write_bytes(whole)
    expect(BrokenModel, folder, r"adapter_config\.json in adapter cannot be read")


def test_an_adapter_with_parts_missing_or_too_many(llama: tuple[Path, Any]) -> None:
    folder, _ = llama
    tensors = load_file(folder / WEIGHTS)
    name = next(name for name in tensors if "layers.1" in name)
    save_file({key: tensors[key] for key in tensors if key != name}, folder / WEIGHTS)
    expect(BrokenModel, folder, "1 tensors are missing from adapter.*random")
    odd = name.replace("layers.1", "layers.99")
    save_file({**tensors, odd: tensors[name].clone()}, folder / WEIGHTS)
    expect(BrokenModel, folder, "1 tensors of adapter have no place")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "kind PROMPT_TUNING"),
        ({"init_lora_weights": "pissa"}, "started with “pissa”"),
        ({"layer_replication": [[0, 2], [1, 3]]}, "uses layer_replication"),
        ({"megatron_config": {"x": 1}, "megatron_core": "antigravity"}, "uses megatron_config"),
    ],
)
def test_adapters_that_are_more_than_lora(llama: tuple[Path, Any], changes: dict[str, Any], words: str) -> None:
    folder, _ = llama
    change_config(folder, **changes)
    expect(Unsupported, folder, words)
    assert "antigravity" not in sys.modules


def test_without_peft(llama: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    expect(Unsupported, llama[0], "peft.*is not installed.*pip install peft")
