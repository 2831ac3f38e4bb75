"""What an encoder–decoder writes by itself, how its targets begin and end, and wrong requests."""

from pathlib import Path

import pytest
from tiny import TEXT, opened
from tiny_writers import TARGET, TARGET_PIECES
from tokenizers import processors

from dashboard.engine import Cancelled, LoadedModel, generate, trace
from dashboard.engine.errors import InvalidInput
from dashboard.engine.tracing.generation import LONGEST_TARGET


@pytest.fixture(scope="module")
def bart(tmp_path_factory: pytest.TempPathFactory, device: str) -> LoadedModel:
    return opened("bart", tmp_path_factory.mktemp("bart"), device)


def test_rows_are_what_is_written_and_columns_what_is_read(bart: LoadedModel) -> None:
    found = trace(bart, TEXT, target=TARGET)
    cross, decoder, encoder = found.sites
    assert [token.text for token in cross.query_tokens] == TARGET_PIECES
    assert [token.text for token in decoder.query_tokens] == ["[SEP]", *TARGET_PIECES[:-1]]
    assert decoder.key_tokens == decoder.query_tokens
    assert cross.key_tokens == encoder.key_tokens == encoder.query_tokens == found.tokens
    assert cross.query_text == decoder.key_text == TARGET
    assert cross.key_text == found.text == TEXT
    assert [TARGET[t.start : t.end] for t in cross.query_tokens] == ["", *TARGET.split(), ""]
    assert [t.word for t in cross.query_tokens] == list(range(8))
    assert not cross.in_order
    assert decoder.in_order
    assert found.key != trace(bart, TEXT, target="drink").key
    own = trace(bart, TEXT, target=found.encoded.target.written)  # type: ignore[union-attr]
    assert [t.text for t in own.site("cross").query_tokens] == TARGET_PIECES
    assert own.key != found.key


@pytest.mark.parametrize("n_beams", [1, 3])
def test_it_writes_by_itself_until_its_end(bart: LoadedModel, n_beams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a setting of its own that makes the end more and more probable: the model's settings hold."""
    monkeypatch.setattr(bart.network.generation_config, "exponential_decay_length_penalty", (5, 1.5))
    found = trace(bart, TEXT, n_beams=n_beams)
    assert found.encoded.target is not None
    written = generate(bart, TEXT, LONGEST_TARGET, n_beams=n_beams)
    assert written.ended
    assert found.encoded.target.written == written.ids
    assert len(written.ids) < 100
    assert written.ids[-1] == bart.tokenizer.sep_token_id, "its end is part of the target"


def test_what_does_not_end_is_cut_at_the_limit(bart: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bart.network.generation_config, "eos_token_id", None)
    found = generate(bart, TEXT, 6)
    assert len(found.ids) == 6
    assert not found.ended
    longest = trace(bart, TEXT).encoded.target
    assert bart.facts.max_tokens == 128
    assert longest is not None
    assert len(longest.written) == 127, "one place is the start token's"


def test_writing_tells_where_it_is_and_can_be_stopped(bart: LoadedModel) -> None:
    seen: list[str] = []

    def stop(message: str, fraction: float | None) -> None:
        seen.append(message)
        assert fraction is None or 0 <= fraction <= 1
        if message == "Writing token 4":
            raise Cancelled

    with pytest.raises(Cancelled):
        trace(bart, TEXT, stop)
    assert seen == ["Writing token 2", "Writing token 3", "Writing token 4"]
    assert trace(bart, TEXT, target=TARGET).tokens, "the model can be used by others again"


def test_wrong_requests_are_named(bart: LoadedModel, minilm: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match=r"no target token 8.*has 8, counted from 0"):
        trace(bart, TEXT, target=TARGET, at=8)
    with pytest.raises(InvalidInput, match="no target token -1"):
        trace(bart, TEXT, target=TARGET, at=-1)
    for empty in ("", " \n"):
        with pytest.raises(InvalidInput, match="no target text"):
            trace(bart, TEXT, target=empty)
    with pytest.raises(InvalidInput, match="There is no target"):
        trace(bart, TEXT, target=())
    with pytest.raises(InvalidInput, match="no token number 100000"):
        trace(bart, TEXT, target=(5, 100_000))
    with pytest.raises(InvalidInput, match=r"The target has 202 tokens.*at most 128.*by 74 tokens"):
        trace(bart, TEXT, target="drink " * 200)
    with pytest.raises(InvalidInput, match=r"The text has 202 tokens.*at most 128"):
        trace(bart, "drink " * 200, target=TARGET)
    with pytest.raises(InvalidInput, match="There is no text"):
        trace(bart, " ", target=TARGET)
    with pytest.raises(InvalidInput, match="does not continue texts"):
        trace(bart, TEXT, target=TARGET, continued=[5])
    with pytest.raises(InvalidInput, match="9 beams"):
        trace(bart, TEXT, n_beams=9)
    with pytest.raises(InvalidInput, match="writes no target"):
        trace(minilm, TEXT, target=TARGET)
    with pytest.raises(InvalidInput, match="no “self” attention"):
        trace(bart, TEXT, target=TARGET).attention(0, site="self")
    with pytest.raises(InvalidInput, match="0 to 1"):
        trace(bart, TEXT, target=TARGET).attention(2, site="cross")


def test_a_target_begins_as_the_model_says(tmp_path: Path) -> None:
    """MBart has no start token of its own: its targets end with the language, which is read first."""
    model = opened("mbart", tmp_path)
    network = model.network
    typed = trace(model, TEXT, target=TARGET).encoded.target
    assert typed is not None
    assert typed.read == (3, *typed.written[:-1])
    network.generation_config.forced_bos_token_id = 7
    forced = trace(model, TEXT, target=TARGET).encoded.target
    assert forced is not None
    assert forced.written == (7, *typed.written)
    assert generate(model, TEXT, 6).ids[0] == 7, "it writes so by itself too"
    network.generation_config.forced_bos_token_id = None
    for place in (network.config, network.generation_config):
        place.decoder_start_token_id = None
    shifted = trace(model, TEXT, target=TARGET).encoded.target
    assert shifted is not None
    assert shifted.written == typed.written
    assert shifted.read == (typed.written[-1], *typed.written[:-1])
    template = "[CLS] $A [SEP] [MASK]"  # the language after the end
    mask = model.tokenizer.mask_token_id
    ends = [("[CLS]", 2), ("[SEP]", 3), ("[MASK]", mask)]
    model.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=ends
    )
    with_language = trace(model, TEXT, target=TARGET).encoded.target
    assert with_language is not None
    assert with_language.written == typed.written
    assert with_language.read == (mask, *typed.written[:-1])
