"""The token of Streamlit's secrets reaches the engine, and nobody else."""

from pathlib import Path

import pytest
import streamlit as st

from dashboard import visitors

TOKEN = "hf_made_up_and_secret"


class Secrets(dict[str, object]):
    """What Streamlit gives where there is a secrets file."""

    def load_if_toml_exists(self) -> bool:
        return bool(self)


@pytest.mark.parametrize(
    ("secrets", "token"), [({"HF_TOKEN": TOKEN}, TOKEN), ({"HF_TOKEN": 5}, None), ({"other": "x"}, None), ({}, None)]
)
def test_the_token_comes_from_the_secrets(
    secrets: dict[str, object], token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "secrets", Secrets(secrets))
    access = visitors.access()
    assert access.token == token
    assert TOKEN not in repr(access)
    assert access.folders


def test_without_a_secrets_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert visitors.access().token is None
