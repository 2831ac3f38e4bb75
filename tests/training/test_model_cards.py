"""What a fine-tuned model says of itself: its card, its name, and the list of all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_texts import cancel_at, quickly, toy

from dashboard.training.saved import finetuned_models, free_name

# peft asks the models in old words.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
ROOT = Path(__file__).resolve().parents[2]


def test_the_list_survives_a_new_process(bert: str, tmp_path: Path) -> None:
    made = quickly(bert, epochs=1, title="My texts & “more”")
    assert made.folder == tmp_path / "cache" / "finetuned" / "My-texts-more"
    second = cancel_at(bert, lambda step: step.step == 1, title="My texts & “more”")
    assert second.name == "My-texts-more-2"
    (made.folder.parent / "broken").mkdir()
    (made.folder.parent / "broken" / "card.json").write_text("{}")
    code = (
        "import sys; from dashboard.training.saved import finetuned_models\n"
        "for m in finetuned_models():\n"
        "    print(m.name, m.title, m.base, m.method, m.accuracy, m.n_test, m.stopped, m.folder,"
        " sep='|')\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.report is not None
    assert set(done.stdout.splitlines()) == {
        f"{made.name}|{made.title}|{bert}|lora|{made.report.accuracy}|8|finished|{made.folder}",
        f"{second.name}|{made.title}|{bert}|lora|None|8|cancelled|{second.folder}",
    }
    (made.folder / "adapter_model.safetensors").unlink()
    assert [one.name for one in finetuned_models()] == ["My-texts-more-2"]


def test_the_card_says_what_was_done(bert: str, tmp_path: Path) -> None:
    made = quickly(bert, epochs=2, seed=5, out=tmp_path / "made", title="Cities", about="A test.")
    card = json.loads((made.folder / "card.json").read_text())
    assert made.report is not None
    assert card["report"] == json.loads(json.dumps(made.report.as_dict()))
    assert (card["title"], card["about"], card["base"]) == ("Cities", "A test.", bert)
    assert card["training"]["seed"] == 5
    assert card["data"]["classes"] == {"city": 40, "dog": 40}
    assert card["data"]["sha256"] == toy().sha256
    assert card["versions"]["torch"] == torch.__version__
    assert json.loads((made.folder / "losses.json").read_text()) == pytest.approx(list(made.losses), abs=1e-4)
    readable = (made.folder / "MODEL_CARD.md").read_text()
    assert f"Accuracy {made.report.accuracy:.1%}" in readable
    assert "seed 5" in readable


def test_names_are_safe_and_free(bert: str, tmp_path: Path) -> None:
    (tmp_path / "cache" / "finetuned" / "taken").mkdir(parents=True)
    (tmp_path / "cache" / "finetuned" / ".taken-2.partial").mkdir()
    assert free_name("taken") == "taken-3"
    assert free_name("../../etc/passwd") == "etc-passwd"
    assert free_name("…") == "model"
    assert len(free_name("x" * 300)) == 60
