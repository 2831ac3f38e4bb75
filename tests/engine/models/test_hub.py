"""The Hub when things go wrong: cuts, refusals, wrong content, unknown revisions; and a token that nobody sees."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_hub import SHA, FakeHub, serve
from safetensors.numpy import save

from dashboard.engine import errors
from dashboard.engine.models import store
from dashboard.engine.models.access import Access

WEIGHTS = save({"w": np.arange(256 * 256, dtype=np.float32).reshape(256, 256)})
MODEL = {"config.json": b'{"model_type": "bert"}', "model.safetensors": WEIGHTS, "tokenizer.json": b"{}"}
OTHER = "f" * 40
TOKEN = "hf_made_up_and_secret"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    with serve({"someone/bert": MODEL, "someone/gguf": {"a.Q4_0.gguf": b"GGUF", "config.json": b"{}"}}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def files_of(tmp_path: Path) -> list[str]:
    """Blobs and snapshots: what a later run could take for a model."""
    kept = (tmp_path / "hub" / "models--someone--bert").rglob("*.safetensors")
    return [str(path) for path in kept]


def test_each_revision_is_kept_for_itself(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.revisions |= {"v1.0": OTHER, OTHER: OTHER, "refs/pr/3": OTHER}
    newest, old = store.resolve("someone/bert"), store.resolve("someone/bert@v1.0")
    assert (newest.name, old.name) == (SHA, OTHER)
    assert store.resolve("someone/bert@refs/pr/3") == old
    assert store.resolve(f"someone/bert@{OTHER}") == old
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert store.resolve("someone/bert@v1.0") == old
    assert store.resolve("someone/bert") == newest
    with pytest.raises(errors.DownloadFailed, match="someone/bert@v2 is not on this machine"):
        store.resolve("someone/bert@v2")


def test_an_unknown_revision(fake: FakeHub) -> None:
    with pytest.raises(errors.ModelNotFound, match="someone/bert has no revision v9") as caught:
        store.resolve("someone/bert@v9")
    assert "behind the @" in caught.value.remedy


@pytest.mark.parametrize("source", ["someone/bert@", "someone/bert@../../x", "someone/bert@a b", "@main", "a@b@c"])
def test_what_is_no_revision_never_reaches_the_hub(fake: FakeHub, source: str) -> None:
    with pytest.raises(errors.ModelNotFound):
        store.resolve(source)
    assert not fake.requested


def test_a_transfer_cut_in_the_middle_is_resumed(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 50_000)  # what has arrived is written in steps
    fake.cut_after = {"model.safetensors": 120_000}
    folder = store.resolve("someone/bert")
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert fake.ranges == ["model.safetensors bytes=100000-"], "only the rest is asked for"


def test_progress_is_what_has_arrived(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 50_000)
    fake.send("model.safetensors", len(WEIGHTS) // 2)
    seen: list[float] = []

    def look(message: str, done: float | None) -> None:
        if done is not None and done not in seen:
            seen.append(done)
        if done and done > 0.3:  # three of five pieces, at most
            fake.send("model.safetensors", None)

    store.resolve("someone/bert", look)
    first = next(done for done in seen if done > 0.3)
    assert first < 0.6, "no byte is counted twice"


def test_a_reset_connection_is_tried_again(fake: FakeHub) -> None:
    fake.cut_after, fake.reset = {"model.safetensors": 100_000}, True
    assert (store.resolve("someone/bert") / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_content_that_is_not_what_its_hash_says(fake: FakeHub, tmp_path: Path, name: str) -> None:
    right = MODEL[name]
    fake.swapped = {name: right[:-1] + bytes([right[-1] ^ 1])}
    with pytest.raises(errors.BrokenModel, match=f"{name} of someone/bert came with another content") as caught:
        store.resolve("someone/bert")
    assert "Try again" in caught.value.remedy
    assert not (tmp_path / "hub" / "models--someone--bert" / "snapshots" / SHA / name).exists()
    fake.swapped = {}
    assert (store.resolve("someone/bert") / name).read_bytes() == right


def test_a_download_left_halfway_is_checked_by_the_next(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cancels between the transfer and the check must not leave an unchecked file for a checked one."""
    right = MODEL["model.safetensors"]
    fake.swapped = {"model.safetensors": right[:-1] + bytes([right[-1] ^ 1])}

    def cancel(message: str, done: float | None) -> None:
        if "Checking" in message:
            raise errors.Cancelled

    with pytest.raises(errors.Cancelled):
        store.resolve("someone/bert", cancel)
    with pytest.raises(errors.BrokenModel, match="another content"):
        store.resolve("someone/bert")


def test_the_hub_asks_to_wait(fake: FakeHub) -> None:
    fake.repos["someone/bert"] = 429
    fake.headers = {"Retry-After": "90"}
    with pytest.raises(errors.DownloadFailed, match=r"error 429.*in 90 seconds.*HF_TOKEN"):
        store.resolve("someone/bert")
    fake.headers = {}
    with pytest.raises(errors.DownloadFailed, match="in some minutes"):
        store.resolve("someone/bert")


@pytest.mark.parametrize("status", [500, 503, 418])
def test_the_hub_is_broken(fake: FakeHub, tmp_path: Path, status: int) -> None:
    fake.repos["someone/bert"] = status
    with pytest.raises(errors.DownloadFailed, match=f"error {status} for someone/bert"):
        store.resolve("someone/bert")
    assert not files_of(tmp_path)


def test_the_hub_breaks_between_the_list_and_the_files(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    fake.refuse_files = 500
    with pytest.raises(errors.DownloadFailed, match="error 500 for someone/bert"):
        store.resolve("someone/bert")
    assert not files_of(tmp_path)
    fake.refuse_files = None
    assert store.resolve("someone/bert").is_dir()


def test_a_kept_copy_serves_while_the_hub_is_broken(fake: FakeHub) -> None:
    folder = store.resolve("someone/bert")
    for status in (429, 500):
        fake.repos["someone/bert"] = status
        assert store.resolve("someone/bert") == folder


def test_a_repository_of_gguf_files_says_what_to_do(fake: FakeHub) -> None:
    with pytest.raises(errors.ModelNotFound, match=r"GGUF files only.*a\.Q4_0\.gguf.*path of the file"):
        store.resolve("someone/gguf")


def test_an_adapter_and_the_base_that_it_names(fake: FakeHub) -> None:
    fake.revisions |= {"v1": OTHER, OTHER: OTHER}
    config = json.dumps({"base_model_name_or_path": "someone/bert", "revision": "v1", "peft_type": "LORA"}).encode()
    files = {"adapter_config.json": config, "adapter_model.safetensors": WEIGHTS, "README.md": b"# hello"}
    fake.repos["someone/lora"] = {**files, "model.safetensors": WEIGHTS, "optimizer.pt": b"pickle"}
    folder = store.resolve("someone/lora")
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert store.resolve_base(folder).name == OTHER
    fake.repos["someone/lora"] = {"adapter_config.json": config, "adapter_model.bin": b"pickle"}
    with pytest.raises(errors.BrokenModel, match="someone/lora holds a pickled adapter only"):
        store.resolve("someone/lora")


def test_downloads_can_be_switched_off(fake: FakeHub) -> None:
    off = Access(downloads=False)
    with pytest.raises(errors.NotAllowed, match="ATTENTION_DASHBOARD_DOWNLOADS"):
        store.resolve("someone/bert", access=off)
    assert not fake.requested
    folder = store.resolve("someone/bert")
    fake.requested.clear()
    assert store.resolve("someone/bert", access=off) == folder
    assert not fake.requested


def test_a_gated_repository_opens_with_the_token(fake: FakeHub, tmp_path: Path) -> None:
    fake.gated = {"someone/bert": TOKEN}
    for access, remedy in ((Access(), "set HF_TOKEN.*secrets"), (Access(token="another"), "the account whose token")):
        with pytest.raises(errors.DownloadFailed, match=f"someone/bert is gated.*{remedy}"):
            store.resolve("someone/bert", access=access)
    assert store.resolve("someone/bert", access=Access(token=TOKEN)).is_dir()
    kept = [path for path in (tmp_path / "hub").rglob("*") if path.is_file()]
    assert kept
    assert not any(TOKEN.encode() in path.read_bytes() for path in kept)


@pytest.mark.parametrize("status", [200, 401, 403, 404, 429, 500])
def test_a_token_is_sent_and_never_said(
    fake: FakeHub, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    access, said = Access(token=TOKEN), ""
    if status != 200:
        fake.repos["someone/bert"] = status
    try:
        store.resolve("someone/bert", lambda message, done: None, access)
    except errors.EngineError as error:
        said = f"{error!r} {error} {error.__cause__!r}"
        assert status != 200
    assert set(fake.tokens) == {f"Bearer {TOKEN}"}
    assert TOKEN not in said + repr(access) + str(access) + caplog.text + "".join(capfd.readouterr())
    assert status != 401 or "token in HF_TOKEN" in said
