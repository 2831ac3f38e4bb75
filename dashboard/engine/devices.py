"""Where a model runs and in which number format."""

import os

import psutil
import torch

from dashboard.engine.errors import InvalidInput
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
    """True for all the ways to say that memory ran out (torch's CPU allocator has no class for it)."""
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)
