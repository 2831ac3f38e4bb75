"""Fine-tuning tiny models: what is learned, measured, kept and listed, and how it is stopped."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny import make_folder, save_random, tokenizer
from torch import nn
from toy_texts import quickly, toy

from dashboard.engine import load_model, read_texts, trace
from dashboard.engine.errors import BrokenModel, Cancelled, InvalidInput, OutOfMemory, Unsupported
from dashboard.training import finetuning, loop, memory, networks
from dashboard.training.asking import asked_in_every_layer
from dashboard.training.results import FineTuned, Step
from dashboard.training.saved import finetuned_models, free_name, in_use

# peft asks the models in old words.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")

ROOT = Path(__file__).resolve().parents[2]


def predicted(folder: Path, text: str) -> str:
    return trace(load_model(str(folder), device="cpu"), text).prediction.choices[0].label.text


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("name", ["bert", "bert for masked tokens", "distilbert", "llama", "gpt2"])
def test_it_learns_and_opens(bases: Path, tmp_path: Path, name: str, method: Any) -> None:
    made = quickly(str(bases / name), method=method, out=tmp_path / "made")
    assert made.report is not None
    assert made.report.accuracy == 1.0
    assert (made.classes, made.stopped) == (("city", "dog"), "finished")
    assert len(made.losses) == 8 * math.ceil(made.n_train / 8)
    assert (made.n_train, made.n_validation, made.n_test) == (64, 8, 8)
    assert (made.n_trained == made.n_parameters) == (method == "full")
    model = load_model(str(made.folder), device="cpu")
    assert model.facts.architecture.endswith("ForSequenceClassification")
    held_out = read_texts(made.folder / "held_out.jsonl")
    assert len(held_out) == 8
    found = [trace(model, row.text).prediction.choices for row in held_out]
    assert [choices[0].label.text for choices in found] == [row.target for row in held_out]


def test_what_was_measured_is_what_the_saved_model_does(bert: str, tmp_path: Path) -> None:
    """Loss and accuracy, text by text and without padding, from the model as it opens."""
    made = quickly(bert, epochs=2, learning_rate=3e-3, out=tmp_path / "made")
    assert made.best_epoch is not None
    parts = finetuning.split(toy().labels, 0.1, 0.1, 0)
    model, data = load_model(str(made.folder), device="cpu"), toy()
    losses, right = [], []
    for row in parts.validation:
        found = trace(model, data.texts[row]).prediction.choices
        share = {choice.label.text: choice.probability for choice in found}[data.classes[data.labels[row]]]
        assert share is not None
        losses.append(-math.log(share))
        right.append(found[0].label.text == data.classes[data.labels[row]])
    best = made.epochs[made.best_epoch - 1]
    assert best.validation_loss == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    assert best.validation_accuracy == sum(right) / len(right)
    held_out = [predicted(made.folder, data.texts[row]) == data.classes[data.labels[row]] for row in parts.test]
    assert made.report is not None
    assert made.report.accuracy == sum(held_out) / len(held_out)


def test_the_same_seed_makes_the_same_weights(bert: str, tmp_path: Path) -> None:
    first, again, other = (
        quickly(bert, epochs=1, seed=seed, out=tmp_path / str(i)) for i, seed in enumerate((0, 0, 1))
    )
    assert first.losses == again.losses != other.losses
    one, two = (load_file(made.folder / "adapter_model.safetensors") for made in (first, again))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_full_training_with_the_first_step_by_hand(bert: str, tmp_path: Path) -> None:
    """The first step's loss is the cross-entropy of the untrained network on those texts."""
    told: list[Step] = []
    quickly(bert, epochs=1, batch_size=64, method="full", progress=told.append, out=tmp_path / "made")
    (first,) = [step for step in told if step.loss is not None]
    data = toy()
    prepared = finetuning.prepare(bert, data, 256, lambda step: None, finetuning.ANYTHING)
    torch.manual_seed(0)
    network = networks.build(prepared.base, "full", 16, torch.device("cpu")).train()
    parts = finetuning.split(data.labels, 0.1, 0.1, 0)
    (order,) = loop.batches.shuffled([len(prepared.rows[row]["input_ids"]) for row in parts.train], 64, seed=1)
    rows = [parts.train[place] for place in order]
    inputs = prepared.base.tokenizer([data.texts[row] for row in rows], padding=True, return_tensors="pt")
    loss = network(**inputs, labels=torch.tensor([data.labels[row] for row in rows])).loss
    assert first.loss == pytest.approx(loss.item(), abs=1e-5)


def test_progress_tells_every_step_and_every_epoch(bert: str, tmp_path: Path) -> None:
    told: list[Step] = []
    made = quickly(bert, epochs=3, progress=told.append, out=tmp_path / "made")
    steps = [step for step in told if step.loss is not None]
    assert [step.step for step in steps] == list(range(1, 25))
    assert tuple(step.loss for step in steps) == made.losses
    assert {(step.n_steps, step.n_epochs) for step in steps} == {(24, 3)}
    assert [step.epoch for step in steps] == [1] * 8 + [2] * 8 + [3] * 8
    rates = [step.learning_rate or 0.0 for step in steps]
    assert max(rates) == pytest.approx(1e-2)
    assert rates[0] < max(rates) > rates[-1] > 0
    assert [step.validated for step in told if step.validated] == list(made.epochs)
    shares = [step.fraction for step in told if step.fraction is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_it_stops_early_and_keeps_the_best_epoch(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loop.look
    scripted = iter([(0.9, 4), (0.5, 6), (0.6, 6), (0.4, 5), (0.1, 8)])
    kept: list[dict[str, torch.Tensor]] = []

    def look(network: Any, tokenizer: Any, texts: loop.Encoded, batch_size: int) -> tuple[float, list[int]]:
        kept.append({name: tensor.clone() for name, tensor in network.state_dict().items() if "lora" in name})
        loss, n_right = next(scripted)
        return loss, [label if i < n_right else 1 - label for i, label in enumerate(texts.labels)]

    monkeypatch.setattr(loop, "look", look)
    monkeypatch.setattr(finetuning, "look", real)
    made = quickly(bert, epochs=9, patience=2, out=tmp_path / "made")
    assert (made.stopped, made.best_epoch, len(made.epochs)) == ("early", 2, 4)
    assert [epoch.best for epoch in made.epochs] == [True, True, False, False]
    assert [epoch.validation_accuracy for epoch in made.epochs] == [0.5, 0.75, 0.75, 0.625]
    saved = load_file(made.folder / "adapter_model.safetensors")
    second, last = ({name.replace(".default", ""): t for name, t in kept[i].items()} for i in (1, -1))
    assert all(torch.equal(saved[name], second[name]) for name in second)
    assert not all(torch.equal(saved[name], last[name]) for name in last)


def cancel_at(bert: str, when: Any, **options: Any) -> FineTuned:
    def progress(step: Step) -> None:
        if when(step):
            raise Cancelled

    return quickly(bert, progress=progress, **options)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_cancelled_within_the_first_epoch_it_keeps_what_it_has(bert: str, tmp_path: Path, method: Any) -> None:
    made = cancel_at(bert, lambda step: step.step == 3, method=method, out=tmp_path / "made")
    assert (made.stopped, made.best_epoch, made.report, len(made.losses)) == ("cancelled", None, None, 3)
    assert predicted(made.folder, toy().texts[0]) in made.classes
    assert "cancelled" in (made.folder / "MODEL_CARD.md").read_text()


def test_cancelled_later_it_keeps_the_best_epoch(bert: str, tmp_path: Path) -> None:
    after_one = cancel_at(bert, lambda step: step.validated is not None, out=tmp_path / "a")
    later = cancel_at(bert, lambda step: step.epoch == 2 and step.step > 10, out=tmp_path / "b")
    assert (after_one.stopped, later.stopped) == ("cancelled", "cancelled")
    assert after_one.best_epoch == later.best_epoch == 1
    first, second = (load_file(made.folder / "adapter_model.safetensors") for made in (after_one, later))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_cancelled_while_measuring(bert: str, tmp_path: Path) -> None:
    made = cancel_at(bert, lambda step: "held-out" in step.message, epochs=1, out=tmp_path / "made")
    assert (made.stopped, made.report, made.best_epoch) == ("cancelled", None, 1)


def test_cancelled_before_anything_was_trained_nothing_is_left(bert: str, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        cancel_at(bert, lambda step: step.message.startswith("Loading"), out=tmp_path / "new" / "made")
    assert list((tmp_path / "new").iterdir()) == []


def test_cancelled_within_the_first_step_a_random_head_is_not_kept(bert: str, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        cancel_at(bert, lambda step: step.message == "Training", out=tmp_path / "new" / "made")
    assert list((tmp_path / "new").iterdir()) == []


def test_reading_many_texts_can_be_left(bert: str, tmp_path: Path) -> None:
    shares: list[float] = []

    def listen(step: Step) -> None:
        if step.message == "Reading the texts as tokens":
            shares.append(step.fraction or 0.0)
            if len(shares) == 3:
                raise Cancelled

    with pytest.raises(Cancelled):
        finetuning.finetune(bert, toy(1_000), out=tmp_path / "made", progress=listen)
    assert shares == [0.0, 0.2, 0.4]


def test_waiting_for_another_load_can_be_left(bert: str, tmp_path: Path) -> None:
    with finetuning.ONE_AT_A_TIME, pytest.raises(Cancelled):
        cancel_at(bert, lambda step: step.message.startswith("Waiting for another model"), out=tmp_path / "made")
    assert finetuning.ONE_AT_A_TIME.acquire(blocking=False)
    finetuning.ONE_AT_A_TIME.release()


def test_the_weights_that_are_measured_are_those_that_were_kept_even_of_experts(tmp_path: Path) -> None:
    """Files name the weights of experts otherwise than the network does."""
    config = transformers.MixtralConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=3,
    )
    folder = save_random(lambda: transformers.MixtralForCausalLM(config), tokenizer(byte_level=True), tmp_path / "base")
    base = finetuning.prepare(str(folder), toy(), 64, lambda step: None, finetuning.ANYTHING).base
    network = networks.build(base, "full", 4, torch.device("cpu"))
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    networks.save(network, base, tmp_path / "kept")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    networks.restore(network, tmp_path / "kept")
    assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())


def test_a_classifier_of_other_classes_is_a_base_too(bert: str, tmp_path: Path) -> None:
    two = quickly(bert, method="full", epochs=1, out=tmp_path / "two")
    data = toy(90)
    three = replace(data, labels=tuple(i % 3 for i in range(90)), classes=("a", "b", "c"))
    with pytest.raises(Unsupported, match="has a head for other classes"):
        finetuning.finetune(str(two.folder), three, epochs=1, out=tmp_path / "adapter", device="cpu")
    made = finetuning.finetune(str(two.folder), three, method="full", epochs=1, out=tmp_path / "three", device="cpu")
    assert load_model(str(made.folder), device="cpu").network.config.id2label == {0: "a", 1: "b", 2: "c"}


def test_a_base_without_a_whole_layer_is_refused(bert: str, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(bert, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if ".layer.1." not in name}
    save_file(kept, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BrokenModel, match=r"The weights of broken lack .*\.layer\.1\."):
        quickly(str(broken), out=tmp_path / "made")


def test_the_setting_auto_is_understood(bert: str, tmp_path: Path) -> None:
    assert quickly(bert, epochs=1, device="auto", out=tmp_path / "made").report is not None


def test_every_layer_asks_on_both_ways(bases: Path) -> None:
    """One step of a large model may take a minute: it can be left within."""
    base = finetuning.prepare(str(bases / "llama"), toy(), 64, lambda step: None, finetuning.ANYTHING).base
    network = networks.build(base, "lora", 4, torch.device("cpu"))
    inputs = base.tokenizer(["The capital of France"], return_tensors="pt")
    n_layers = network.config.num_hidden_layers
    asked: list[int] = []
    with asked_in_every_layer(network, lambda: asked.append(1)):
        out = network(**inputs).logits.sum()
        assert len(asked) == n_layers
        out.backward()
    assert len(asked) == 2 * n_layers
    network(**inputs)
    assert len(asked) == 2 * n_layers, "hooks are gone"


def test_an_error_on_the_way_back_ends_the_pass() -> None:
    network = nn.Sequential(nn.ModuleList([nn.Linear(2, 2)])[0])
    holder = nn.Module()
    holder.layers = nn.ModuleList(network)
    n_asked = 0

    def ask() -> None:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 2:
            raise Cancelled

    with asked_in_every_layer(holder, ask), pytest.raises(Cancelled):
        network(torch.ones(1, 2)).sum().backward()


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


def test_long_texts_are_cut_and_counted(bert: str, tmp_path: Path) -> None:
    prepared = finetuning.prepare(bert, toy(), 8, lambda step: None, finetuning.ANYTHING)
    assert prepared.longest == 8
    whole = [len(prepared.base.tokenizer(text)["input_ids"]) for text in toy().texts]
    assert prepared.n_cut == sum(length > 8 for length in whole) > 0


@pytest.mark.parametrize("name", ["minilm", "smollm2"])
def test_memory_is_judged_well(name: str) -> None:
    """What a pass keeps for the way back, counted tensor by tensor."""
    base = finetuning.prepare(name, toy(), 64, lambda step: None, finetuning.ANYTHING).base
    network = networks.build(base, "lora", 16, torch.device("cpu")).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    ids = torch.randint(5, 1000, (2, 64), generator=torch.Generator().manual_seed(0))
    kept: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        logits = network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    assert logits.requires_grad
    assert 1 <= memory.kept_bytes(base.config, 2, 64) / sum(kept.values()) < 2
    needs = memory.preflight_training(base, "lora", 16, 2, 64, torch.device("cpu"))
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    least = needs.weight_bytes + 16 * trained + sum(kept.values())
    assert 0.95 * least <= needs.peak_bytes <= 2 * least
    full = memory.preflight_training(base, "full", 16, 2, 64, torch.device("cpu"))
    assert full.peak_bytes - needs.peak_bytes == pytest.approx(16 * (needs.weight_bytes / 4 - trained), rel=0.01)


def test_what_does_not_fit_is_refused_before_it_starts(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory.devices, "free_memory", lambda device: 10_000)
    with pytest.raises(OutOfMemory, match=r"Training bert takes about .* 10 kB are free.*batches of 8 texts"):
        quickly(bert, batch_size=32, method="full", out=tmp_path / "made")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["t5", "vit"])
def test_other_kinds_of_models_are_refused(tmp_path: Path, name: str) -> None:
    base = make_folder(name, tmp_path / "base")
    with pytest.raises(Unsupported, match="cannot be trained to tell classes"):
        quickly(str(base), out=tmp_path / "made")


def test_an_adapter_is_no_base(bert: str, tmp_path: Path) -> None:
    made = cancel_at(bert, lambda step: step.step == 1, out=tmp_path / "made")
    with pytest.raises(Unsupported, match="is an adapter already"):
        quickly(str(made.folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "Epochs is 0"),
        ({"batch_size": 0}, "Batch size is 0"),
        ({"rank": -1}, "Rank is -1"),
        ({"learning_rate": 0.0}, "learning rate of 0"),
        ({"learning_rate": 7.0}, "learning rate of 7"),
        ({"test": 75}, "Too few rows"),
    ],
)
def test_settings_that_cannot_be(bert: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        quickly(bert, **options)


def test_nothing_is_overwritten(bert: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(InvalidInput, match="something at"):
            quickly(bert, out=taken)
    with pytest.raises(InvalidInput, match="cannot be written"):
        quickly(bert, out=tmp_path / "file" / "below")
    with in_use(tmp_path / ".made.partial"), pytest.raises(InvalidInput, match="Another training is writing"):
        quickly(bert, out=tmp_path / "made")
    assert (tmp_path / "file").read_text() == "mine"
