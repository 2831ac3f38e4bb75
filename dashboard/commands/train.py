"""`python -m dashboard train`: makes a model of this repository again."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dashboard.commands.options import say
from dashboard.engine.errors import Unsupported


def train(
    name: Annotated[str, typer.Argument(help="dates-en-fr, digits or sentiment.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; where the repository keeps it by default.")] = None,
) -> None:
    """Train a model of this repository again, with its seed, and measure it on what was held out."""
    from dashboard.training.scripts import TRAINED  # here, because starting the app imports no training

    if name not in TRAINED:
        raise typer.BadParameter(f"“{name}” is none of {', '.join(TRAINED)}.", param_hint="NAME")
    try:
        script = import_module(TRAINED[name])
    except ModuleNotFoundError as error:
        raise Unsupported(
            f"Training {name} needs the package {(error.name or '').partition('.')[0]}, which is not installed.",
            "Run `pip install -r requirements-train.txt` and try again.",
        ) from error
    typer.echo(script.train(out, say))
