"""A repository on the Hugging Face Hub, kept in the Hub client's own cache; safetensors only, no code.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_CACHE` and `HF_HUB_OFFLINE` mean what they mean elsewhere.
"""

import os
import threading
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from tqdm.auto import tqdm

from dashboard.engine import errors
from dashboard.engine.progress import Progress
from dashboard.engine.sources import folder

_TEXT_FILES = (".json", ".txt", ".model", ".tiktoken", ".jinja")
_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.1
_MB = 1_000_000
_NO_NETWORK = (httpx2.TransportError, OfflineModeIsEnabled)


def download(repo_id: str, progress: Progress) -> Path:
    """The snapshot folder of the newest revision, or the one kept here when the Hub cannot be reached.

    Raises:
        ModelNotFound: No such public repository, or no model in it.
        BrokenModel: Pickled weights only.
        DownloadFailed: No network, a gated repository, or an error of the Hub.
    """
    progress(f"Asking the Hub for {repo_id}", None)
    try:
        info = HfApi(endpoint=_endpoint()).model_info(repo_id, timeout=_TIMEOUT_SECONDS, files_metadata=True)
    except _NO_NETWORK as error:
        return _kept(repo_id, error)
    except (HfHubHTTPError, HFValidationError) as error:
        raise _translated(repo_id, error) from error
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    folder.check_names(set(sizes), f"The Hub repository {repo_id}")
    wanted = _wanted(set(sizes))
    return folder.check(_snapshot(repo_id, wanted, sum(sizes[name] for name in wanted), progress))


def _wanted(names: set[str]) -> list[str]:
    """The files that `from_pretrained` opens: those at the top, and each weight once."""
    top = {name for name in names if "/" not in name}
    weights = {name for name in top if name.endswith(".safetensors")}
    if "model.safetensors" in weights:
        weights = {"model.safetensors"}  # the others are copies in another precision
    weights = {name for name in weights if not name.startswith("consolidated")}
    return sorted(weights | {name for name in top if name.endswith(_TEXT_FILES)})


def _snapshot(repo_id: str, wanted: list[str], total: int, progress: Progress) -> Path:
    """Download in a thread, so that `progress` is called, and can cancel, even while nothing arrives."""
    arrived, stopped, lock = 0, threading.Event(), threading.Lock()

    class Bar(tqdm):  # type: ignore[misc]  # tqdm has no types
        """Counts bytes instead of drawing; an exception here ends the transfer that reports to it."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["disable"] = True
            super().__init__(*args, **kwargs)
            self.counts_bytes = kwargs.get("unit") == "B"

        def update(self, n: int | float | None = 1) -> bool | None:
            nonlocal arrived
            if stopped.is_set():
                raise errors.Cancelled
            if self.counts_bytes:
                with lock:
                    arrived += int(n or 0)
            return None

    outcome: list[str | Exception] = []

    def work() -> None:
        try:
            outcome.append(
                snapshot_download(
                    repo_id,
                    allow_patterns=wanted,
                    cache_dir=_cache(),
                    endpoint=_endpoint(),
                    tqdm_class=Bar,
                )
            )
        except Exception as error:  # noqa: BLE001 - carried over to the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=work, name=f"download {repo_id}", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            done = min(arrived, total)
            megabytes = f"{done / _MB:.0f} of {total / _MB:.0f} MB"
            progress(f"Downloading {repo_id}: {megabytes}", done / total if total else None)
            thread.join(_POLL_SECONDS)
    finally:
        stopped.set()
    result = outcome[0]
    if isinstance(result, str):
        return Path(result)
    if isinstance(result, _NO_NETWORK):
        return _kept(repo_id, result)
    if isinstance(result, (HfHubHTTPError, OSError)):
        raise _translated(repo_id, result) from result
    raise result


def _kept(repo_id: str, reason: Exception) -> Path:
    """The snapshot that an earlier run brought, when the Hub cannot be asked."""
    config = try_to_load_from_cache(repo_id, "config.json", cache_dir=_cache())
    try:
        if isinstance(config, str):
            return folder.check(Path(config).parent)
    except errors.EngineError:
        pass  # a download that stopped halfway
    raise errors.DownloadFailed(
        f"The Hub cannot be reached, and {repo_id} is not on this machine yet.",
        "Connect to the network and try again, or choose a model that is on this machine.",
    ) from reason


def _translated(repo_id: str, error: Exception) -> errors.EngineError:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError) or status == 403:
        return errors.DownloadFailed(
            f"The Hub repository {repo_id} is gated: its terms must be accepted first.",
            "Accept them on the model's page, then set HF_TOKEN to your access token and start again.",
        )
    if status == 401:  # what the Hub answers for a private name and, to strangers, for one that does not exist
        return errors.ModelNotFound(
            f"The Hub shows no public model called {repo_id}.",
            "Check the spelling; if it is private, set HF_TOKEN to a token that may read it and start again.",
        )
    if isinstance(error, (RepositoryNotFoundError, HFValidationError)) or status == 404:
        return errors.ModelNotFound(f"The Hub has no model called {repo_id}.", "Check the spelling.")
    if status is not None:
        return errors.DownloadFailed(
            f"The Hub answered with error {status} for {repo_id}.", "Wait a little and try again."
        )
    return errors.DownloadFailed(
        f"{repo_id} could not be downloaded: {error.__class__.__name__}.",
        "Check the network and the free disk space and try again.",
    )


def _endpoint() -> str | None:
    """Read at each call: the client itself reads it only once, when it is imported."""
    return os.environ.get("HF_ENDPOINT") or None


def _cache() -> str | None:
    return os.environ.get("HF_HUB_CACHE") or None
