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
from transformers import AutoTokenizer

from dashboard.engine import adapters, capture, needs, store
from dashboard.engine.access import ANYTHING, Access
from dashboard.engine.devices import free_memory, is_out_of_memory, memory_messages
from dashboard.engine.errors import BrokenModel, Unsupported
from dashboard.engine.placement import Placement, choose_placement
from dashboard.engine.progress import Progress
from dashboard.engine.sources.adapter import is_adapter
from dashboard.engine.tasks import Task, task_for
from dashboard.engine.verification import Verification, probe_ids, verify_capture, verify_eager
from dashboard.engine.weights import first_line, read_config, read_weights, tokenizer_folder

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
    access: Access = ANYTHING,
) -> LoadedModel:
    """A verified model from a catalogue name, a Hub id, a folder, a GGUF file or a LoRA adapter.

    Args:
        source: For example "smollm2", "org/name", "org/name@revision", "path/to/folder" or "path/to/model.gguf"; a
            folder or a Hub id may hold a LoRA adapter, whose base model is brought too.
        device: "cuda", "mps", "cpu", or "auto" for all GPUs; the best one here by default.
        dtype: "float32", "bfloat16", "float16", "int8" or "int4"; float32 on cpu, bfloat16 on GPUs that support it by
            default.
        progress: Called with a message and a fraction 0…1 (None: unknown); may raise Cancelled.
        access: What may be opened, for servers with visitors; everything by default.

    Raises:
        EngineError: One of its kinds, with cause and remedy.
    """
    placement = choose_placement(device, dtype)
    title = store.title_of(source)
    folder = store.resolve(source, progress, access)
    adapter = None
    if is_adapter(folder):
        adapter, folder = folder, store.resolve_base(folder, progress, access)
        if placement.bits:
            raise Unsupported(
                f"{title} is an adapter, and cannot be merged exactly into weights of {placement.bits} bits.",
                "Load it in float32, bfloat16 or float16.",
            )
    if progress:
        progress("Loading the weights", None)
    with _ONE_AT_A_TIME, memory_messages(f"loading {title}", placement.device):
        needs.check_load(title, folder, placement)
        return _load(source, title, folder, adapter, placement, progress)


def _load(
    name: str,
    title: str,
    folder: Path,
    adapter: Path | None,
    placement: Placement,
    progress: Progress | None,
) -> LoadedModel:
    capture.register()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = read_config(title, folder)
    if adapter is not None:
        config = adapters.read_labels(adapter, config)
    task = task_for(config)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_folder(folder, adapter), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # every tokenizer fails in its own way
        raise BrokenModel(
            f"{title} has no tokenizer that can be opened ({first_line(error)}).",
            "Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside config.json.",
        ) from error
    if not tokenizer.is_fast:
        raise Unsupported(
            f"{title} has a tokenizer that does not say which characters a token covers.",
            "Choose a model with a tokenizer.json.",
        )
    network = read_weights(title, folder, config, task, placement, adapter)
    if progress:
        progress("Checking attention against the model's own", None)
    network, verification = _verified(title, network, tokenizer, task)
    return LoadedModel(
        name,
        title,
        network,
        tokenizer,
        task,
        _facts(network, tokenizer, verification, placement, task),
        verification,
        network.device,
    )


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
            reason = first_line(error)
            network.set_attn_implementation("eager")
    try:
        return network, verify_eager(network, ids, task.causal)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise Unsupported(
            f"The attention of {title} cannot be shown exactly: {reason}, and read directly, {first_line(error)}.",
            "Choose another model; nothing is drawn that is not what the model computes.",
        ) from error


def _facts(network: Any, tokenizer: Any, verification: Verification, placement: Placement, task: Task) -> Facts:
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
        dtype=placement.format,
        max_tokens=int(min(limits)) if limits else None,
    )
