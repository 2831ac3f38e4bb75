"""Folders on this machine and repositories on the Hub: opened, or refused with cause and remedy."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_hub import SHA, FakeHub, serve
from safetensors.numpy import save

from dashboard.engine import errors
from dashboard.engine.models import store
from dashboard.engine.models.sources import hub

WEIGHTS = save({"w": np.ones((256, 256), np.float32)})
MODEL = {"config.json": b'{"model_type": "bert"}', "model.safetensors": WEIGHTS, "tokenizer.json": b"{}"}
CLUTTER = {
    "pytorch_model.bin": b"pickle",
    "modeling_custom.py": b"raise SystemExit",
    "model.fp16.safetensors": WEIGHTS,
    "onnx/config.json": b"{}",
    "README.md": b"# hello",
    "vocab.txt": b"a\nb",
}
PICKLED = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    repos = {
        "someone/bert": {**MODEL, **CLUTTER},
        "plain": MODEL,
        "someone/pickled": PICKLED,
        "someone/data": {"README.md": b"no model"},
        "someone/private": 401,
        "someone/gated": 403,
        "someone/broken": 418,
    }
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serve(repos) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


# Folders


def test_a_folder_with_a_model_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "model", MODEL)
    assert store.resolve(str(folder)) == folder
    monkeypatch.chdir(tmp_path)
    assert store.resolve("model") == folder
    assert store.resolve("./model") == folder


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ({}, errors.ModelNotFound, "no weights"),
        ({"config.json": b"{}"}, errors.ModelNotFound, "no weights"),
        ({"model.safetensors": WEIGHTS}, errors.ModelNotFound, r"no config\.json"),
        (PICKLED, errors.BrokenModel, "pickled"),
        ({"model.Q4_0.gguf": b"GGUF"}, errors.ModelNotFound, r"GGUF files only.*model\.Q4_0\.gguf.*path"),
        ({**MODEL, "model.safetensors": WEIGHTS[:-8]}, errors.BrokenModel, "cut short"),
        ({**MODEL, "model.safetensors": b"version https://git-lfs"}, errors.BrokenModel, "damaged"),
        ({**MODEL, "config.json": b"{"}, errors.BrokenModel, "cannot be read"),
        ({**MODEL, "config.json": b"[]"}, errors.BrokenModel, "not a JSON object"),
    ],
)
def test_a_folder_without_a_sound_model_is_refused(
    tmp_path: Path, files: dict[str, bytes], error: type[errors.EngineError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        store.resolve(str(write(tmp_path / "model", files)))
    assert caught.value.remedy.endswith(".")


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    files = {
        "config.json": b"{}",
        "model-00001-of-00002.safetensors": WEIGHTS,
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    with pytest.raises(errors.BrokenModel, match="lacks 1 of 2 weight files: model-00002"):
        store.resolve(str(write(tmp_path / "model", files)))


def test_a_pickled_model_comes_with_the_way_to_convert_it(tmp_path: Path) -> None:
    with pytest.raises(errors.BrokenModel) as caught:
        store.resolve(str(write(tmp_path / "model", PICKLED)))
    assert "safetensors" in caught.value.remedy
    assert "save_pretrained" in caught.value.remedy


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    file = write(tmp_path, {"model.safetensors": WEIGHTS}) / "model.safetensors"
    with pytest.raises(errors.ModelNotFound, match="is a file"):
        store.resolve(str(file))


@pytest.mark.parametrize("source", ["/no/such/folder", "~/no/such/folder", "./no-such-folder"])
def test_a_path_that_does_not_exist(source: str) -> None:
    with pytest.raises(errors.ModelNotFound, match="no folder"):
        store.resolve(source)


@pytest.mark.parametrize(
    "source", ["", "   ", "what is this?", "a/b/c", "~nobody-here/x", "x" * 5000, "a\0b", "<script>"]
)
def test_words_that_name_nothing(source: str) -> None:
    with pytest.raises(errors.ModelNotFound):
        store.resolve(source)


# The Hub


def test_only_the_files_that_are_opened_are_downloaded(fake: FakeHub) -> None:
    seen: list[float | None] = []
    folder = store.resolve("someone/bert", lambda message, done: seen.append(done))
    names = {path.name for path in folder.iterdir()}
    assert names == {*MODEL, "vocab.txt"}
    assert folder.name == SHA
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert any(done is not None for done in seen)


def test_a_name_without_an_owner(fake: FakeHub) -> None:
    assert store.resolve("plain").name == SHA


def test_a_downloaded_repository_opens_without_a_network(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = store.resolve("someone/bert")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert store.resolve("someone/bert") == folder


def test_pickled_repositories_are_refused_before_any_download(fake: FakeHub) -> None:
    with pytest.raises(errors.BrokenModel, match="pickled"):
        store.resolve("someone/pickled")
    assert not any("resolve" in path for path in fake.requested)


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("someone/absent", errors.ModelNotFound, "has no model called someone/absent"),
        ("absent", errors.ModelNotFound, "These come with the dashboard: smollm2, minilm"),
        ("someone/data", errors.ModelNotFound, "no weights"),
        ("someone/private", errors.ModelNotFound, "HF_TOKEN"),
        ("someone/gated", errors.DownloadFailed, "HF_TOKEN"),
        ("someone/broken", errors.DownloadFailed, "error 418"),
        ("bad--name/model", errors.ModelNotFound, "Check the spelling"),
    ],
)
def test_refusals_of_the_hub(fake: FakeHub, source: str, error: type[errors.EngineError], says: str) -> None:
    with pytest.raises(error, match=says):
        store.resolve(source)


def test_the_token_of_the_environment_is_used(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    store.resolve("plain")
    assert "Bearer hf_made_up" in fake.tokens


def test_without_a_network(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(errors.DownloadFailed, match="cannot be reached") as caught:
        store.resolve("someone/new")
    assert "network" in caught.value.remedy


def test_cancelling_a_hub_download(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def cancel(message: str, done: float | None) -> None:
        if "Downloading" in message:
            raise errors.Cancelled

    with pytest.raises(errors.Cancelled):
        store.resolve("someone/bert", cancel)
    for thread in threading.enumerate():
        if thread.name.startswith("download "):
            thread.join(10)
            assert not thread.is_alive()
    assert store.resolve("someone/bert").is_dir()


def test_each_weight_is_wanted_once() -> None:
    shards = {f"model-0000{i}-of-00002.safetensors" for i in (1, 2)}
    names = shards | {
        "consolidated.safetensors",
        "model.safetensors.index.json",
        "config.json",
        "x/config.json",
    }
    assert set(hub._wanted(names)) == shards | {"model.safetensors.index.json", "config.json"}
