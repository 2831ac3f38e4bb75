"""The documents tell the truth: tables from the code, every option named, every picture there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from readme import README, filled

ROOT = README.parent


def test_the_tables_are_the_code() -> None:
    assert filled(README.read_text()) == README.read_text(), "run python -m tests.readme"


def test_pictures_and_links_exist() -> None:
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text()):
            if not target.startswith("http"):
                assert (ROOT / target).is_file(), f"{document} points to {target}"


def test_the_notebook_example_runs(smollm2: object) -> None:
    """The README's own lines, in a fresh process."""
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    script = code + "\nassert t.prediction.choices[0].label.text == 'Paris'\n"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=300)


@pytest.mark.parametrize(
    "variable", ["CACHE", "DEVICE", "DTYPE", "FOLDERS", "DOWNLOADS", "FINETUNING", "MODELS", "MEMORY"]
)
def test_settings_are_documented(variable: str) -> None:
    name = f"ATTENTION_DASHBOARD_{variable}"
    assert name in (ROOT / "dashboard" / "engine" / "settings.py").read_text()
    assert name in README.read_text()


def test_every_make_target_is_explained() -> None:
    makefile = Path(ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert declared
    for target in declared[1].split():
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target
