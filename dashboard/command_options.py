"""What the commands of `python -m dashboard` share: options that several take, and how progress is told."""

from typing import Annotated

import typer

ModelOption = Annotated[str, typer.Option("--model", help="A catalogue name, a Hub id or a folder.")]
DeviceOption = Annotated[str | None, typer.Option(help="cuda, mps or cpu; the best one here by default.")]
DtypeOption = Annotated[
    str | None, typer.Option(help="float32, bfloat16 or float16; float32 on cpu, bfloat16 on GPUs by default.")
]


def say(message: str, fraction: float | None) -> None:
    """Progress on standard error."""
    share = "" if fraction is None else f" {fraction:.0%}"
    typer.echo(f"{message}{share}", err=True)
