"""`python -m dashboard`: start the app, export weights, list and train models, measure speed and faithfulness."""

import enum
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dashboard.commands.faithfulness import faithfulness
from dashboard.commands.finetune import finetune
from dashboard.commands.options import DeviceOption, DtypeOption, ModelOption, say
from dashboard.commands.train import train
from dashboard.engine.errors import EngineError
from dashboard.engine.models.catalog import DEFAULT_MODEL, MODELS
from dashboard.engine.settings import (
    DEVICE_VARIABLE,
    DOWNLOADS_VARIABLE,
    DTYPE_VARIABLE,
    FINETUNING_VARIABLE,
    FOLDERS_VARIABLE,
    MEMORY_VARIABLE,
    MODELS_VARIABLE,
    max_memory,
    max_models,
)
from dashboard.engine.settings import (
    downloads as downloads_setting,
)
from dashboard.engine.settings import (
    finetuning as finetuning_setting,
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    help="Exact attention of any transformer, beside its prediction and what that rests on.",
)

FolderOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--folder",
        help="Visitors may open models below this folder; give it again for more. The cache is always allowed.",
    ),
]
DownloadsOption = Annotated[bool | None, typer.Option(help="Let visitors bring models from the Hub (the default).")]
FinetuningOption = Annotated[bool | None, typer.Option(help="Let visitors fine-tune models (the default).")]
ModelsOption = Annotated[
    int | None, typer.Option("--models", help="How many models stay in memory; 2 by default.", min=1)
]
MemoryOption = Annotated[
    str | None,
    typer.Option(help="Memory that may be used on a device, such as 16GB; a load or a text beyond it is refused."),
]
HostOption = Annotated[str, typer.Option(help="Address to listen on.")]
PortOption = Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)]
BrowserOption = Annotated[bool, typer.Option(help="Open the page in a browser.")]
Tokens = Annotated[str, typer.Option(help="Lengths to measure, in tokens, separated by commas.")]
_HOST, _PORT = "127.0.0.1", 8501


class Format(enum.StrEnum):
    """How exported weights are written."""

    csv = "csv"
    npz = "npz"
    json = "json"


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    host: HostOption = _HOST,
    port: PortOption = _PORT,
    browser: BrowserOption = True,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    folder: FolderOption = None,
    downloads: DownloadsOption = None,
    finetuning: FinetuningOption = None,
    models: ModelsOption = None,
    memory: MemoryOption = None,
) -> None:
    """Without a command: start the app."""
    if context.invoked_subcommand is None:
        serve(host, port, browser, device, dtype, folder, downloads, finetuning, models, memory)


@app.command()
def serve(
    host: HostOption = _HOST,
    port: PortOption = _PORT,
    browser: BrowserOption = True,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    folder: FolderOption = None,
    downloads: DownloadsOption = None,
    finetuning: FinetuningOption = None,
    models: ModelsOption = None,
    memory: MemoryOption = None,
) -> None:
    """Start the app (the default)."""
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.web import cli

    # Until the first visitor has run app.py, Streamlit takes pages/ for its own list of pages and answers a link to
    # one of ours with "does not seem to exist".
    PagesManager.uses_pages_directory = False
    settings = {
        DEVICE_VARIABLE: device,
        DTYPE_VARIABLE: dtype,
        FOLDERS_VARIABLE: _allowed(folder),
        DOWNLOADS_VARIABLE: _on_or_off(downloads),
        FINETUNING_VARIABLE: _on_or_off(finetuning),
        MODELS_VARIABLE: None if models is None else str(models),
        MEMORY_VARIABLE: memory,
    }
    os.environ.update({name: value for name, value in settings.items() if value})
    downloads_setting()  # a setting that cannot be understood ends the start, not a visitor's first load
    finetuning_setting()
    max_models()
    max_memory()
    sys.argv = [
        "streamlit",
        "run",
        str(Path(__file__).with_name("app.py")),
        f"--server.address={host}",
        f"--server.port={port}",
        f"--server.headless={'false' if browser else 'true'}",
        "--server.showEmailPrompt=false",
        "--logger.hideWelcomeMessage=true",  # else a card over the page asks to install Streamlit's own extras
    ]
    typer.echo(f"The attention dashboard is at http://{host}:{port} (Ctrl-C stops it).", err=True)
    cli.main()


def _on_or_off(chosen: bool | None) -> str | None:
    return None if chosen is None else "on" if chosen else "off"


def _allowed(folders: list[Path] | None) -> str | None:
    """The folders that visitors may open, those of the environment first."""
    if not folders:
        return None
    for given in folders:
        if not given.is_dir():
            raise typer.BadParameter(f"There is no folder {given}.", param_hint="--folder")
        if os.pathsep in str(given):
            raise typer.BadParameter(f"“{os.pathsep}” in {given} would separate two folders.", param_hint="--folder")
    before = [os.environ[FOLDERS_VARIABLE]] if os.environ.get(FOLDERS_VARIABLE) else []
    return os.pathsep.join([*before, *(str(given.absolute()) for given in folders)])


@app.command()
def export(
    text: Annotated[str, typer.Option(help="The input.")],
    layer: Annotated[int, typer.Option(help="Counted from 0.")],
    head: Annotated[int, typer.Option(help="Counted from 0.")],
    target: Annotated[
        str | None, typer.Option(help="What an encoder–decoder is made to write; by default it writes by itself.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Which attention: self; cross (the default), decoder or encoder where there are.")
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    format: Annotated[Format, typer.Option(help="csv: a table with tokens on both sides.")] = Format.csv,
    out: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
) -> None:
    """Write one head's exact weights with the tokens' texts."""
    from dashboard.commands.export import write
    from dashboard.engine import load_model, trace

    loaded = load_model(model, device=device, dtype=dtype, progress=say)
    write(trace(loaded, text, say, target=target), layer, head, format.value, out, site)


@app.command()
def models() -> None:
    """List the models: what is on this machine, sizes, and what was fine-tuned here."""
    from dashboard.engine.models import store
    from dashboard.training.saved import finetuned_models

    for name, row in MODELS.items():
        size = f"{store.size_on_disk(name) / 1e6:,.{0 if row.requirement else 1}f} MB"
        where = f"{size} on this machine" if store.is_on_disk(name) else "not here yet"
        source = (
            f"download {row.download_bytes / 1e6:,.0f} MB ({row.requirement})" if row.requirement else "no download"
        )
        source = f"adapter of {row.base}" if row.base else source
        print(f"{name}{' (default)' if name == DEFAULT_MODEL else ''}: {row.title} · {row.task} · {row.licence}")
        print(f"    {row.description}")
        print(f"    {where} · {source}")
    for made in finetuned_models():
        accuracy = "not measured" if made.accuracy is None else f"{made.accuracy:.1%} of {made.n_test:,} held-out texts"
        print(f"{made.source}: {made.title} · {len(made.classes)} classes · {accuracy}")
        print(f"    fine-tuned from {made.base} · {made.folder}")
    print(f"\nCache: {store.cache_dir()}")


@app.command()
def bench(
    tokens: Tokens = "256,1024,2048",
    model: ModelOption = DEFAULT_MODEL,
    out: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
) -> None:
    """Measure beside eager `output_attentions=True`, and the head atlas beside BertViz's model view, in one run."""
    from dashboard.commands.bench import measure, table
    from dashboard.commands.export import write_file

    lengths = _lengths(tokens)
    rows = measure(model, lengths, say, device, dtype)
    print(table(rows))
    if out is not None:
        write_file(out, (json.dumps(rows, indent=2) + "\n").encode())


def _lengths(tokens: str) -> list[int]:
    try:
        lengths = [int(part) for part in tokens.split(",")]
    except ValueError:
        lengths = []
    if not lengths or min(lengths) < 2:
        raise typer.BadParameter(f"“{tokens}” is not a list of lengths such as 256,1024.", param_hint="--tokens")
    return lengths


app.command()(faithfulness)
app.command()(finetune)
app.command()(train)


if __name__ == "__main__":
    try:
        app(prog_name="python -m dashboard")
    except EngineError as error:
        print(f"{error.cause}\n{error.remedy}", file=sys.stderr)
        sys.exit(1)
