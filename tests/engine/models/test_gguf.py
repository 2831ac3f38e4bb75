"""GGUF files: unpacked once, the same numbers; damaged and unknown ones refused."""

import json
from pathlib import Path

import gguf
import pytest
import torch
import transformers
from tiny import TEXT, tokenizer

from dashboard.engine import load_model, trace
from dashboard.engine.errors import BrokenModel, Cancelled, ModelNotFound, Unsupported
from dashboard.engine.models import store
from dashboard.engine.models.sources import child

_N_LAYERS, _N_HEADS = 2, 4


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def _network(vocabulary: int) -> transformers.Qwen2ForCausalLM:
    config = transformers.Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=_N_LAYERS,
        num_attention_heads=_N_HEADS,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        rms_norm_eps=1e-6,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    network = transformers.Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    return network


def write_gguf(path: Path, architecture: str = "qwen2") -> transformers.PreTrainedModel:
    """A tiny model as a GGUF file, and the model itself."""
    words = tokenizer(byte_level=True)
    pieces = sorted(words.get_vocab(), key=words.get_vocab().__getitem__)
    network = _network(len(pieces))
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(128)
    writer.add_embedding_length(32)
    writer.add_block_count(_N_LAYERS)
    writer.add_feed_forward_length(64)
    writer.add_head_count(_N_HEADS)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(pieces))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(pieces)
    merges = json.loads(words.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(words.eos_token_id)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, _N_LAYERS)
    for name, tensor in network.state_dict().items():
        stem, _, kind = name.rpartition(".")
        writer.add_tensor(f"{names.get_name(stem)}.{kind}", tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return network


def test_a_gguf_file_is_unpacked_once_and_computes_the_same(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "there" / "tiny.gguf"
    file.parent.mkdir()
    own = write_gguf(file)
    model = load_model(str(file), device="cpu")
    assert (model.title, model.facts.dtype, model.task.kind) == ("tiny.gguf", "float32", "next token")
    found = trace(model, TEXT)
    with torch.no_grad():
        expected = own(found.encoded.ids[None]).logits
        logits = model.network(found.encoded.ids[None]).logits
    assert torch.allclose(logits, expected, atol=1e-5)
    assert "".join(" " * token.space + token.text for token in found.tokens) == TEXT
    assert [path.name for path in file.parent.iterdir()] == ["tiny.gguf"], "nothing is written beside the file"

    def no_child(*_: object) -> tuple[int, str]:
        raise AssertionError("unpacked again")

    monkeypatch.setattr(child, "run", no_child)
    moved = file.rename(tmp_path / "moved.GGUF")
    assert store.resolve(str(moved)).parent == cache


def test_files_that_cannot_be_opened(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="There is no file"):
        store.resolve(str(tmp_path / "absent.gguf"))
    text, empty, cut = (tmp_path / f"{name}.gguf" for name in ("text", "empty", "cut"))
    text.write_text("only text")
    empty.touch()
    with pytest.raises(BrokenModel, match="is not a GGUF file"):
        store.resolve(str(text))
    with pytest.raises(BrokenModel, match="is empty"):
        store.resolve(str(empty))
    write_gguf(cut)
    cut.write_bytes(cut.read_bytes()[:-20_000])
    with pytest.raises(BrokenModel, match=r"cut\.gguf could not be unpacked: the file is damaged"):
        store.resolve(str(cut))
    unknown = tmp_path / "unknown.gguf"
    write_gguf(unknown, "mystery")
    with pytest.raises(Unsupported, match="architecture mystery is not supported"):
        store.resolve(str(unknown))
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []


def test_cancelling_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    write_gguf(file)

    def cancel(message: str, done: float | None) -> None:
        if "Unpacking" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        store.resolve(str(file), cancel)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []
