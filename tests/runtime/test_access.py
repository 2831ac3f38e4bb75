"""The token of Streamlit's secrets reaches the engine, and nobody else."""

from pathlib import Path

import pytest
import streamlit as st

from dashboard.runtime.backend import access as visitors

TOKEN = "hf_made_up_and_secret"


class Secrets(dict[str, object]):
    """What Streamlit gives where there is a secrets file."""

    def load_if_toml_exists(self) -> bool:
        return bool(self)


@pytest.mark.parametrize(
    ("secrets", "token"),
    [
        ({"HF_TOKEN": TOKEN}, TOKEN),
        ({"huggingface": {"token": TOKEN}}, TOKEN),
        ({"HF_TOKEN": TOKEN, "huggingface": {"token": "another"}}, TOKEN),
        ({"HF_TOKEN": 5}, None),
        ({"huggingface": TOKEN}, None),
        ({"huggingface": {"name": "x"}}, None),
        ({"other": "x"}, None),
        ({}, None),
    ],
)
def test_the_token_comes_from_the_secrets(
    secrets: dict[str, object], token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "secrets", Secrets(secrets))
    access = visitors.access()
    assert access.token == token
    assert TOKEN not in repr(access)
    assert access.folders


def test_a_real_secrets_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "secrets.toml"
    monkeypatch.setattr(st, "secrets", type(st.secrets)())
    monkeypatch.setattr("streamlit.config.get_option", lambda name: [str(file)] if name == "secrets.files" else None)
    assert visitors.access().token is None
    file.write_text(f'[huggingface]\ntoken = "{TOKEN}')  # the end is missing
    assert visitors.access().token is None
    file.write_text(f'[huggingface]\ntoken = "{TOKEN}"\n')
    assert visitors.access().token == TOKEN
    assert "".join(capfd.readouterr()) == ""


def test_without_a_secrets_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert visitors.access().token is None
