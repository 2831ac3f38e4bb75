"""From a catalogue name, a Hub id or a folder to a model that is ready, verified and safe to share."""

import contextlib
import inspect
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer

from dashboard.engine import capture, store
from dashboard.engine.catalog import MODELS
from dashboard.engine.devices import choose_device, choose_dtype, free_memory, is_out_of_memory, memory_messages
from dashboard.engine.errors import BrokenModel, Unsupported
from dashboard.engine.progress import Progress
from dashboard.engine.tasks import Task, task_for
from dashboard.engine.verification import Verification, probe_ids, verify_capture, verify_eager

# transformers changes global state while it builds a model, so two loads at once leave parts of it changed.
_ONE_AT_A_TIME = threading.Lock()
_TENSOR_BYTES = 4
_EAGER_BUDGET = 2 * 1024**3


@dataclass(frozen=True)
class Facts:
    """What the sidebar says about a model. `max_tokens` is None where positions have no limit."""

    architecture: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    n_parameters: int
    weight_bytes: int
    device: str
    dtype: str
    max_tokens: int | None


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model ready to trace. Shared by sessions: use `running()` around every forward pass."""

    name: str
    title: str
    network: Any
    tokenizer: Any
    task: Task
    facts: Facts
    verification: Verification
    device: torch.device
    serial: int = field(default_factory=itertools.count().__next__)
    """A different number for each load, to key results by."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Holds the model for one pass or a few.

        Raises:
            OutOfMemory: The device could not hold the computation.
        """
        with self._lock, memory_messages(f"running {self.title}", self.device):
            yield

    @property
    def accepted(self) -> dict[str, inspect.Parameter]:
        """Arguments of the network's forward call."""
        return dict(inspect.signature(self.network.forward).parameters)

    @property
    def captures(self) -> bool:
        return self.verification.method == "capture"


def load_model(
    source: str,
    *,
    device: str | None = None,
    dtype: str | None = None,
    progress: Progress | None = None,
) -> LoadedModel:
    """A verified model from a catalogue name, a Hub id or a folder.

    Args:
        source: For example "smollm2", "org/name" or "path/to/folder".
        device: "cuda", "mps", "cpu"; the best one here by default.
        dtype: "float32", "bfloat16" or "float16"; float32 on cpu, bfloat16 on GPUs that support it by default.
        progress: Called with a message and a fraction 0…1 (None: unknown); may raise Cancelled.

    Raises:
        EngineError: One of its kinds, with cause and remedy.
    """
    where = choose_device(device)
    number_format = choose_dtype(where, dtype)
    folder = store.resolve(source, progress)
    if progress:
        progress("Loading the weights", None)
    name, title = (source, MODELS[source].title) if source in MODELS else (source, Path(source).name)
    with _ONE_AT_A_TIME, memory_messages(f"loading {title}", where):
        return _load(name, title, folder, where, number_format, progress)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


def _load(
    name: str,
    title: str,
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    progress: Progress | None,
) -> LoadedModel:
    capture.register()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = _read_config(title, folder)
    task = task_for(config)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # every tokenizer fails in its own way
        raise BrokenModel(
            f"{title} has no tokenizer that can be opened ({_first_line(error)}).",
            "Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside config.json.",
        ) from error
    if not tokenizer.is_fast:
        raise Unsupported(
            f"{title} has a tokenizer that does not say which characters a token covers.",
            "Choose a model with a tokenizer.json.",
        )
    network = _read_weights(title, folder, task, dtype, "eager").to(device)
    if progress:
        progress("Checking attention against the model's own", None)
    network, verification = _verified(title, network, tokenizer, task)
    return LoadedModel(
        name, title, network, tokenizer, task, _facts(network, tokenizer, verification, task), verification, device
    )


def _read_config(title: str, folder: Path) -> Any:
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        if "trust_remote_code" in str(error) or "auto_map" in (folder / "config.json").read_text():
            raise Unsupported(
                f"{title} brings its own Python code, which is never run here.",
                "Choose a model whose architecture is part of the transformers library.",
            ) from error
        raise BrokenModel(
            f"config.json of {title} cannot be read ({_first_line(error)}).", "Get the model again."
        ) from error


def _read_weights(title: str, folder: Path, task: Task, dtype: torch.dtype, attention: str) -> Any:
    try:
        network, report = task.auto_class.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except ImportError as error:  # quantised formats bring a library of their own
        raise Unsupported(
            f"{title} needs a library that is not installed ({_first_line(error)}).",
            "Choose the model in float32, bfloat16 or float16.",
        ) from error
    except (SafetensorError, OSError, ValueError) as error:
        raise BrokenModel(
            f"The weights of {title} cannot be read ({_first_line(error)}).",
            "The file is damaged or incomplete: delete it and get the model again.",
        ) from error
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise BrokenModel(
            f"The weights of {title} do not fit its configuration ({_first_line(error)}).",
            "Get the model again, or check that config.json belongs to these weights.",
        ) from error
    missing = sorted(report.get("missing_keys") or ())
    if missing:
        raise BrokenModel(
            f"{len(missing)} tensors are missing from the weights of {title} (first: {missing[0]}), "
            "so parts of the model would be random.",
            "Get the complete model, or one saved for this task.",
        )
    if network.config.pad_token_id is None:
        # Classifiers on decoders look for the last token that is not padding, and refuse batches without such a token.
        network.config.pad_token_id = -1 if task.kind == "sequence class" else None
    return network.eval().requires_grad_(False)


def _verified(title: str, network: Any, tokenizer: Any, task: Task) -> tuple[Any, Verification]:
    """The model, capturing where that is exact and eager where it is not, with the proof."""
    ids = probe_ids(network.config.get_text_config(), tokenizer, network.device)
    interface = all(
        module._can_set_attn_implementation()
        for module in network.modules()
        if isinstance(module, transformers.PreTrainedModel)
    )
    reason = "it does not use transformers' attention interface"
    if interface:
        try:
            return network, verify_capture(network, ids, task.causal)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            reason = _first_line(error)
            network.set_attn_implementation("eager")
    try:
        return network, verify_eager(network, ids, task.causal)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise Unsupported(
            f"The attention of {title} cannot be shown exactly: {reason}, and read directly, {_first_line(error)}.",
            "Choose another model; nothing is drawn that is not what the model computes.",
        ) from error


def _facts(network: Any, tokenizer: Any, verification: Verification, task: Task) -> Facts:
    config = network.config.get_text_config()
    n_heads = config.num_attention_heads
    limits = [
        n
        for n in (getattr(config, "max_position_embeddings", None), tokenizer.model_max_length, task.max_tokens)
        if n is not None and 0 < n < 1e9
    ]
    if verification.method == "eager":
        per_pair = config.num_hidden_layers * n_heads * _TENSOR_BYTES
        budget = min(_EAGER_BUDGET, free_memory(network.device) / 4)
        limits.append(int((budget / per_pair) ** 0.5))
    parameters = list(network.parameters())
    return Facts(
        architecture=type(network).__name__,
        n_layers=config.num_hidden_layers,
        n_heads=n_heads,
        n_kv_heads=getattr(config, "num_key_value_heads", None) or n_heads,
        n_parameters=sum(p.numel() for p in parameters),
        weight_bytes=sum(p.nbytes for p in parameters),
        device=str(network.device),
        dtype=str(network.dtype).removeprefix("torch."),
        max_tokens=int(min(limits)) if limits else None,
    )
