"""Where a model runs and in which number format."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from dashboard.engine.errors import InvalidInput, OutOfMemory
from dashboard.engine.settings import DEVICE_VARIABLE, DTYPE_VARIABLE

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str | None = None) -> torch.device:
    """The wanted device, else the environment's, else the best one here: cuda, then mps, then cpu.

    Raises:
        InvalidInput: The wanted device is unknown or not on this machine.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    wanted = wanted or os.environ.get(DEVICE_VARIABLE) or available[0]
    if wanted.split(":")[0] not in available:
        raise InvalidInput(f"The device “{wanted}” is not available here.", f"Choose one of: {', '.join(available)}.")
    return torch.device(wanted)


def choose_dtype(device: torch.device, wanted: str | None = None) -> torch.dtype:
    """The wanted format, else the environment's, else bfloat16 on GPUs that support it and float32 elsewhere.

    Raises:
        InvalidInput: The wanted format is unknown.
    """
    wanted = wanted or os.environ.get(DTYPE_VARIABLE)
    if wanted:
        if wanted not in DTYPES:
            raise InvalidInput(f"Unknown number format “{wanted}”.", f"Choose one of: {', '.join(DTYPES)}.")
        return DTYPES[wanted]
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def memory_in_use(device: torch.device) -> int:
    """Bytes that this process holds: on the GPU for cuda, resident memory otherwise."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: BaseException) -> bool:
    """True for the ways in which Python and torch's allocators (cuda, mps, cpu) say that memory ran out."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or any(
        words in said for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


@contextmanager
def memory_messages(doing: str, device: torch.device) -> Iterator[None]:
    """Turns an out-of-memory failure within the block into a message.

    Args:
        doing: What is going on, as in "while {doing}".
        device: Where.

    Raises:
        OutOfMemory: Instead of the allocator's own error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        raise OutOfMemory(
            f"Memory on {device} ran out while {doing}.",
            "Use a shorter text or a smaller model, or free memory and try again.",
        ) from error


@contextmanager
def stop_before_memory_ends(network: torch.nn.Module, share: float = 0.8) -> Iterator[None]:
    """Ends a pass whose tensors kept for the way back would not leave a fifth of the free memory.

    A process that takes all memory is killed by the system and cannot say anything.

    Raises:
        OutOfMemory: Before the limit is reached.
    """
    device = next(network.parameters()).device
    limit, kept = share * free_memory(device), 0
    counted = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}  # there already

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in counted:
            counted.add(storage.data_ptr())
            kept += storage.nbytes()
        if kept > limit:
            raise OutOfMemory(
                f"The way back through the model would take more than the {limit / 1e9:.1f} GB free on {device}.",
                "Use a shorter text, or leave one out: it needs no way back.",
            )
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        yield
