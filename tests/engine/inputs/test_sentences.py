"""Sentences: where they end, and what every token belongs to."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.engine import LoadedModel, join_sentences, sentence_of, trace
from dashboard.engine.inputs.sentences import sentence_starts
from dashboard.engine.inputs.tokens import read_tokens


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith went home. He slept.", ["Dr. Smith went home. ", "He slept."]),
        ("The U.S. Navy sailed, e.g. to Rome. It was 3.14 p.m. then.", None),
        ("One.\nTwo.", ["One.\n", "Two."]),
        ("A first paragraph\n\nand a second", ["A first paragraph\n\n", "and a second"]),
        ("I like it 😀! And you? 😀 I do.", ["I like it 😀! ", "And you? ", "😀 I do."]),
        ("我爱你。你好吗？好！", ["我爱你。", "你好吗？", "好！"]),
        ("nothing ends here, really", ["nothing ends here, really"]),
        ("  ", ["  "]),
        ("", [""]),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str] | None) -> None:
    starts = sentence_starts(text)
    found = [text[start:stop] for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]
    if sentences is None:
        assert found == ["The U.S. Navy sailed, e.g. to Rome. ", "It was 3.14 p.m. then."]
    else:
        assert found == sentences


@pytest.mark.parametrize("space", "\x85\u2028\xa0\u3000")
def test_spaces_of_several_bytes_after_an_initial(space: str) -> None:
    """The library underneath (sentencex 1.0.32) aborts on these as they are."""
    assert sentence_starts(f"A{space}.\n") == [0]
    assert sentence_starts(f"He came.{space}She left.") == [0, 9]


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("aAB. \n\r?!。…\"'”\x85\xa0\u2028\u3000é😀\u200d1(,\ud800"), max_size=25))
def test_any_text_has_sentences_at_its_own_characters(text: str) -> None:
    starts = sentence_starts(text)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert all(not text[start].isspace() for start in starts[1:])
    assert all(not stop or text[:stop].strip() for stop in starts)


def test_tokens_of_a_text(smollm2: LoadedModel) -> None:
    text = "Dr. Smith slept. 你好。Then he\nwoke up!\n\nEnd"
    found = trace(smollm2, text)
    sentences = sentence_of(found.tokens, found.text)
    joined = join_sentences(found.tokens, found.text)
    assert [unit.text for unit in joined] == ["Dr. Smith slept.", "你好。", "Then he↵woke up!", "End"]
    assert [text[unit.start : unit.end].strip() for unit in joined] == [
        "Dr. Smith slept.",
        "你好。",
        "Then he\nwoke up!",
        "End",
    ]
    assert sorted(set(sentences)) == [0, 1, 2, 3]
    assert [unit.id for unit in joined] == [found.tokens[sentences.index(i)].id for i in range(4)]


def test_special_tokens_are_alone_and_part_texts(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "<|im_start|>user\nHi there. Bye<|im_end|><|im_start|>")
    assert [unit.text for unit in join_sentences(found.tokens, found.text)] == [
        "<|im_start|>",
        "user↵Hi there.",
        "Bye",
        "<|im_end|>",
        "<|im_start|>",
    ]


def test_the_texts_of_a_pair_are_never_one_sentence(minilm: LoadedModel) -> None:
    found = trace(minilm, ("It is and", "was one. Two came"))
    joined = join_sentences(found.tokens, found.text)
    assert [unit.text for unit in joined] == ["[CLS]", "It is and", "[SEP]", "was one.", "Two came", "[SEP]"]
    assert [unit.segment for unit in joined] == [0, 0, 0, 1, 1, 1]
    unmarked = [token for token in found.tokens if not token.special]
    assert sentence_of(unmarked, found.text) == (0, 0, 0, 1, 1, 1, 2, 2)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet=st.sampled_from("abA. \n?!。é😀你"), min_size=1, max_size=30))
def test_every_token_is_in_one_sentence_in_order(smollm2: LoadedModel, text: str) -> None:
    encoded = smollm2.tokenizer(text, return_offsets_mapping=True)
    tokens = read_tokens(smollm2.tokenizer, text, encoded["input_ids"], encoded["offset_mapping"])
    sentences = sentence_of(tokens, text)
    assert len(sentences) == len(tokens)
    assert sentences[0] == 0
    steps = {after - before for before, after in pairwise(sentences)}
    assert steps <= {0, 1}
    assert len(join_sentences(tokens, text)) == sentences[-1] + 1
