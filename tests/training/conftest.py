"""Tiny base models, and a cache of its own for what is made of them."""

from pathlib import Path

import pytest
from tiny import make_folder


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for name in ("bert", "bert for masked tokens", "distilbert", "llama", "gpt2"):
        make_folder(name, folder / name)
    return folder


@pytest.fixture
def bert(bases: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A base model, and a cache of its own for what is made of it."""
    monkeypatch.setenv("ATTENTION_DASHBOARD_CACHE", str(tmp_path / "cache"))
    return str(bases / "bert")
