"""Continuations: each step is what a full pass of the model's own eager attention would have said."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from oracles import eager
from tiny import ARCHITECTURES, EAGER_ARCHITECTURES, TEXT, make_folder

from dashboard.engine import Cancelled, LoadedModel, generate, load_model, trace
from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.models import store

PROMPT = "The capital of France is"
DECODERS = [name for name in (*ARCHITECTURES, *EAGER_ARCHITECTURES) if "bert" not in name and "classes" not in name]


def assert_each_step_is_greedy(model: LoadedModel, folder: str, text: str, n_tokens: int) -> None:
    found = generate(model, text, n_tokens)
    twin = eager.load(folder, model.task.auto_class, str(model.device))
    ids = model.tokenizer(text, return_tensors="pt")["input_ids"].to(model.device)
    assert len(found.ids) == n_tokens
    assert not found.ended
    for step, token in enumerate(found.ids):
        logits = eager.logits(twin, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})[0, -1]
        assert token == int(logits.argmax()), f"step {step}"
        assert found.probabilities[step] == pytest.approx(float(logits.softmax(-1)[token]), abs=1e-5)
        ids = torch.cat([ids, ids.new_tensor([[token]])], 1)
    assert found.probabilities.std() > 1e-4, "steps are all alike: the comparison would say little"


@pytest.mark.parametrize("name", DECODERS)
def test_tiny_decoders_say_what_full_eager_passes_say(name: str, tmp_path: Path) -> None:
    """The prompt is longer than the sliding windows, and more tokens than a window are generated."""
    folder = make_folder(name, tmp_path)
    model = load_model(str(folder), device="cpu", dtype="float32")
    if "bloom" not in name and "neo" not in name:
        assert model.captures
    model.network.generation_config.eos_token_id = None
    model.network.config.eos_token_id = None
    model.tokenizer.eos_token = None
    assert_each_step_is_greedy(model, str(folder), TEXT, 10)


def test_smollm2_says_what_full_eager_passes_say(smollm2: LoadedModel) -> None:
    assert_each_step_is_greedy(smollm2, str(store.fetch("smollm2")), "Merci, 你好 café 😀! A", 8)


@pytest.fixture
def widths(smollm2: LoadedModel) -> Iterator[list[int]]:
    """How many tokens each forward pass was given."""
    seen: list[int] = []
    embeddings = smollm2.network.get_input_embeddings()
    handle = embeddings.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[1]))
    yield seen
    handle.remove()


def test_earlier_tokens_are_not_computed_again(smollm2: LoadedModel, widths: list[int]) -> None:
    generate(smollm2, PROMPT, 4)
    assert widths == [5, 1, 1, 1]


def test_a_model_without_a_cache_generates_too(tmp_path: Path) -> None:
    """GPT-1 keeps no keys and values."""
    folder = make_folder("gpt2", tmp_path)
    special = transformers.AutoConfig.from_pretrained(folder)
    config = transformers.OpenAIGPTConfig(
        vocab_size=special.vocab_size, n_embd=32, n_layer=2, n_head=4, n_positions=128
    )
    torch.manual_seed(0)
    network = transformers.OpenAIGPTLMHeadModel(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    network.save_pretrained(folder)
    model = load_model(str(folder), device="cpu", dtype="float32")
    assert "past_key_values" not in model.accepted
    model.tokenizer.eos_token = None
    assert_each_step_is_greedy(model, str(folder), TEXT, 5)


def test_it_stops_where_the_model_ends_and_leaves_the_end_out(smollm2: LoadedModel) -> None:
    text = "<|im_start|>user\nWhat is the capital of France? One word.<|im_end|>\n<|im_start|>assistant\n"
    found = generate(smollm2, text, 60)
    assert found.ended
    assert 0 < len(found.ids) < 60
    assert len(found.tokens) == len(found.probabilities) == len(found.ids)
    after = trace(smollm2, text, continued=found.ids).prediction.choices[0]
    assert after.label.text == "<|im_end|>"
    assert after.id not in found.ids


def test_a_continued_trace_goes_on_from_what_was_generated(smollm2: LoadedModel) -> None:
    found = generate(smollm2, PROMPT, 6)
    for n_tokens in (1, 5):
        traced = trace(smollm2, PROMPT, continued=found.ids[:n_tokens])
        assert traced.prediction.choices[0].id == found.ids[n_tokens]
        assert traced.prediction.choices[0].probability == pytest.approx(found.probabilities[n_tokens], abs=1e-5)
        assert traced.prediction.position == 4 + n_tokens
        assert traced.tokens[5:] == found.tokens[:n_tokens]
        assert traced.key == (smollm2.serial, PROMPT, found.ids[:n_tokens])


@pytest.mark.parametrize("text", ["Bonjour", "Emoji 👩‍👩‍👧 and 你好:", "naïve"])
@pytest.mark.parametrize("more", [" Paris is old. It's", " 😀 café\n\tनमस्ते 👋 end", "ly 2024"])
def test_tokens_continue_as_if_the_whole_text_had_been_given(smollm2: LoadedModel, text: str, more: str) -> None:
    """Where tokenising the whole text cuts it at the same place, every field but shared characters' spans agrees."""
    ids = smollm2.tokenizer(more)["input_ids"]
    ours, whole = trace(smollm2, text, continued=ids), trace(smollm2, text + more)
    assert ours.text == text + more
    if [t.id for t in ours.tokens] == [t.id for t in whole.tokens]:
        for mine, theirs in zip(ours.tokens, whole.tokens, strict=True):
            assert (mine.text, mine.word, mine.part, mine.space) == (
                theirs.text,
                theirs.word,
                theirs.part,
                theirs.space,
            )
            assert (mine.start, mine.end) == (theirs.start, theirs.end) or mine.part
        np.testing.assert_array_equal(ours.attention(3), whole.attention(3))
    else:
        assert more == "ly 2024", "the comparison must take place where a space or symbol starts the continuation"


def test_it_tells_how_far_it_is_and_can_be_stopped(smollm2: LoadedModel) -> None:
    seen: list[tuple[str, float]] = []

    def stop(message: str, fraction: float | None) -> None:
        seen.append((message, fraction or 0))
        if message == "Writing token 3 of 5":
            raise Cancelled

    with pytest.raises(Cancelled):
        generate(smollm2, PROMPT, 5, stop)
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert list(dict.fromkeys(message for message, _ in seen)) == [f"Writing token {n} of 5" for n in (1, 2, 3)]
    assert fractions[-1] == pytest.approx(2 / 5)
    assert generate(smollm2, PROMPT, 1).tokens[0].text == "Paris"


def test_what_does_not_continue_texts_says_so(minilm: LoadedModel) -> None:
    with pytest.raises(Unsupported, match="does not continue texts"):
        generate(minilm, "Hello", 3)
    with pytest.raises(InvalidInput, match="does not continue texts"):
        trace(minilm, "Hello", continued=[5])


def test_wrong_requests_are_named(smollm2: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="0 tokens cannot be generated"):
        generate(smollm2, PROMPT, 0)
    with pytest.raises(InvalidInput, match="There is no text"):
        generate(smollm2, " ", 1)
    with pytest.raises(InvalidInput, match=r"The text has 8,193 tokens.*at most 8,192.*by 1 token"):
        generate(smollm2, PROMPT, 8188)
    for wrong in (-1, 10**6):
        with pytest.raises(InvalidInput, match=f"no token number {wrong}"):
            trace(smollm2, PROMPT, continued=[wrong])
