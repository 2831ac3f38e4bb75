"""What visitors may open: the cache and what was allowed at the start, with nothing said about the rest of the disk."""

import os
from pathlib import Path

import pytest
from tiny import make_folder

from dashboard.engine import errors, load_model, settings
from dashboard.engine.models import store
from dashboard.engine.models.access import ANYTHING, Access, for_visitors


@pytest.fixture
def allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An allowed folder beside a secret one; nothing listens where the Hub would be."""
    monkeypatch.setenv(settings.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(settings.FOLDERS_VARIABLE, str(tmp_path / "allowed"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv(settings.DOWNLOADS_VARIABLE, raising=False)
    (tmp_path / "allowed").mkdir()
    (tmp_path / "secret").mkdir()
    return tmp_path / "allowed"


def visitors() -> Access:
    return for_visitors(store.cache_dir())


def refusal(source: str) -> tuple[type, str]:
    """The kind of error and its words, with what was typed taken out of them."""
    with pytest.raises(errors.EngineError) as caught:
        store.resolve(source, access=visitors())
    return type(caught.value), str(caught.value).replace(repr(source), "X")


def test_allowed_folders_open(allowed: Path) -> None:
    folder = make_folder("llama", allowed / "deep" / "model")
    assert store.resolve(str(folder), access=visitors()) == folder
    assert load_model(str(folder), device="cpu", access=visitors()).captures
    with pytest.raises(errors.ModelNotFound, match="There is no folder"):
        store.resolve(str(allowed / "absent"), access=visitors())


def test_the_cache_opens(allowed: Path, tmp_path: Path) -> None:
    folder = make_folder("llama", tmp_path / "cache" / "model")
    assert store.resolve(str(folder), access=visitors()) == folder


def test_a_refusal_names_the_setting_and_not_whether_the_path_exists(
    allowed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    make_folder("llama", secret / "model")
    (secret / "file.gguf").write_bytes(b"GGUF")
    (allowed / "link").symlink_to(secret)
    (allowed / "loop").symlink_to(allowed / "loop")
    there = [str(secret / "model"), f"{allowed}/../secret/model", f"{allowed}/link/model", str(secret / "file.gguf")]
    absent = [
        str(secret / "absent"),
        f"{allowed}/../secret/absent",
        f"{allowed}/link/absent",
        f"{allowed}/loop/x",
        str(secret / "absent.gguf"),
        "/",
        "/etc/passwd",
        "~",
        "~/x",
        "~root/x",
        "~nobody-of-that-name/x",
        "..",
        "../x",
        "./x",
        "/a\0b",
        "/" + "x" * 5000,
    ]
    found = {refusal(source) for source in (*there, *absent)}
    assert len(found) == 1
    ((kind, words),) = found
    assert kind is errors.NotAllowed
    assert settings.FOLDERS_VARIABLE in words
    assert "--folder" in words
    assert str(tmp_path) not in words, "where links lead is not told"


def test_a_name_that_is_also_a_folder_here_is_a_name(
    allowed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths say nothing either: with or without such a folder, it is a Hub id or nothing."""
    monkeypatch.chdir(tmp_path)
    before = [refusal(source) for source in ("name", "two/parts", "a/b/c")]
    for source in ("name", "two/parts", "a/b/c"):
        make_folder("llama", tmp_path / source)
    assert [refusal(source) for source in ("name", "two/parts", "a/b/c")] == before
    assert store.resolve("name") == tmp_path / "name", "in a notebook it is the folder"


def test_a_relative_path_into_an_allowed_folder(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder("llama", allowed / "model")
    monkeypatch.chdir(allowed.parent)
    assert store.resolve("allowed/model", access=visitors()) == folder


def test_without_the_setting_only_the_cache(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.FOLDERS_VARIABLE)
    assert visitors().folders == (store.cache_dir(),)
    assert refusal(str(allowed))[0] is errors.NotAllowed
    assert ANYTHING.allows(allowed)


def test_several_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [tmp_path / "a", tmp_path / "b"]
    monkeypatch.setenv(settings.FOLDERS_VARIABLE, os.pathsep.join([str(both[0]), "", str(both[1])]))
    assert for_visitors(tmp_path / "cache").folders == (tmp_path / "cache", *both)


def test_settings_that_say_nothing_sensible(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, expected in (("on", True), ("OFF", False), ("", True)):
        monkeypatch.setenv(settings.DOWNLOADS_VARIABLE, said)
        assert settings.downloads() is expected
    monkeypatch.setenv(settings.DOWNLOADS_VARIABLE, "perhaps")
    with pytest.raises(errors.InvalidInput, match=r"ATTENTION_DASHBOARD_DOWNLOADS is “perhaps”.*on or off"):
        settings.downloads()
    assert settings.max_models() == 2
    monkeypatch.setenv(settings.MODELS_VARIABLE, "5")
    assert settings.max_models() == 5
    for said in ("0", "-1", "many", "2.5", "²"):
        monkeypatch.setenv(settings.MODELS_VARIABLE, said)
        with pytest.raises(errors.InvalidInput, match=r"not a number of models.*1 or more"):
            settings.max_models()
