"""Two texts as one input: what the model is given, and where each token lies in the joined text."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from oracles import eager
from tiny import make_folder

from dashboard.engine import LoadedModel, load_model, trace
from dashboard.engine.errors import InvalidInput
from dashboard.engine.models import store

FIRST = "A man is playing the guitar."
SECOND = "Nobody makes music 😀 here."


def tiny(name: str, folder: Path) -> LoadedModel:
    return load_model(str(make_folder(name, folder)), device="cpu", dtype="float32")


def test_a_pair_is_what_the_library_makes_of_it(minilm: LoadedModel) -> None:
    found = trace(minilm, (FIRST, SECOND))
    twin = eager.load(store.fetch("minilm"), minilm.task.auto_class, str(minilm.device))
    theirs = transformers.AutoTokenizer.from_pretrained(store.fetch("minilm"))(FIRST, SECOND, return_tensors="pt")
    assert theirs["token_type_ids"].max() == 1, "without types the comparison would not see them lost"
    theirs = {name: tensor.to(minilm.device) for name, tensor in theirs.items()}
    expected = eager.attentions(twin, theirs, minilm.network)
    ours = np.stack([found.attention(layer) for layer in range(minilm.facts.n_layers)])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)
    without = {**theirs, "token_type_ids": torch.zeros_like(theirs["token_type_ids"])}
    untyped = eager.attentions(twin, without, minilm.network)
    assert np.abs(untyped - expected).max() > 1e-3
    types = theirs["token_type_ids"][0].tolist()
    assert [token.segment for token in found.tokens] == types  # BERT's own types: each [SEP] ends its text


def test_tokens_and_words_lie_in_the_joined_text(minilm: LoadedModel) -> None:
    found = trace(minilm, (FIRST, SECOND))
    assert found.text == f"{FIRST}\n{SECOND}"
    for token in found.tokens:
        if not token.special:
            assert found.text[token.start : token.end].lower() in (token.text.removeprefix("##"), "😀")
            assert (token.start > len(FIRST)) == (token.segment == 1)
    assert "Nobody" in [found.text[t.start : t.end] for t in found.tokens if t.segment == 1]
    words = [token.word for token in found.tokens]
    assert words == sorted(words)
    assert {t.word for t in found.tokens if t.segment == 0}.isdisjoint(t.word for t in found.tokens if t.segment == 1)


def test_words_never_cross_from_one_text_to_the_other(tmp_path: Path) -> None:
    """Without a mark between the texts only the line break keeps "lazy" and "dog" apart."""
    model = tiny("bert", tmp_path)
    template = model.tokenizer.backend_tokenizer
    template.post_processor = type(template.post_processor)(single="$A", pair="$A $B:1", special_tokens=[])
    found = trace(model, ("lazy", "dog"))
    assert [token.special for token in found.tokens] == [False] * len(found.tokens)
    assert [found.text[t.start : t.end] for t in found.tokens] == ["lazy", "dog"]
    assert [token.word for token in found.tokens] == [0, 1]
    assert found.encoded.inputs["token_type_ids"].tolist() == [[0, 1]]


def test_a_model_without_token_types_takes_pairs_by_the_mark(tmp_path: Path) -> None:
    found = trace(tiny("distilbert", tmp_path), ("The fox", "the dog"))
    assert "token_type_ids" not in found.encoded.inputs
    assert [token.segment for token in found.tokens if token.special] == [0, 0, 1]


def test_texts_that_the_model_could_not_tell_apart_are_refused(tmp_path: Path) -> None:
    """A decoder with a class head: its tokenizer has no template for pairs and it has no token types."""
    with pytest.raises(InvalidInput, match=r"puts nothing between two texts.*encoder that was trained on pairs"):
        trace(tiny("llama for classes", tmp_path), ("The fox", "the dog"))


def test_a_type_that_the_model_does_not_have_is_not_given(tmp_path: Path) -> None:
    """As with RoBERTa: an argument for types, but one type only."""
    model = tiny("bert", tmp_path)
    model.network.config.type_vocab_size = 1
    assert "token_type_ids" not in trace(model, ("The fox", "the dog")).encoded.inputs


def test_decoders_take_no_pair(smollm2: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match=r"SmolLM2-135M-Instruct continues one text.*Use one text"):
        trace(smollm2, (FIRST, SECOND))


@pytest.mark.parametrize(("pair", "cause"), [(("", "x"), "no first text"), (("x", " \n"), "no second text")])
def test_an_empty_half_is_named(minilm: LoadedModel, pair: tuple[str, str], cause: str) -> None:
    with pytest.raises(InvalidInput, match=cause):
        trace(minilm, pair)


def test_a_text_of_nothing_the_vocabulary_has_is_named(minilm: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="One of the two texts has no tokens"):
        trace(minilm, ("A man.", "\u200b"))


def test_the_limit_counts_both_texts(minilm: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match=r"603 tokens.*by 91 tokens"):
        trace(minilm, ("word " * 300, "word " * 300))


def test_the_key_names_model_and_input(minilm: LoadedModel) -> None:
    pair, joined = trace(minilm, ("a", "b")), trace(minilm, "a\nb")
    assert pair.text == joined.text
    assert pair.key == (minilm.serial, ("a", "b"), ())
    assert joined.key == (minilm.serial, "a\nb", ())
    assert len({pair.key, joined.key}) == 2
