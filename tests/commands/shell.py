"""The command line as a user types it: in a process of its own, or in this one where that shows as much."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from dashboard.__main__ import app
from dashboard.engine.errors import EngineError

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "dashboard", *arguments],
        cwd=ROOT,
        capture_output=True,
        timeout=300,
        env={**os.environ, **environment},
        check=False,
    )


def run_here(*arguments: str) -> Result:
    """The same in this process, which has torch and the models' code already."""
    return CliRunner().invoke(app, arguments)


def refusal(*arguments: str) -> EngineError:
    """Why a command is refused, asked in this process; nothing but progress may be written."""
    done = run_here(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert isinstance(done.exception, EngineError), done.exception
    return done.exception
