"""Where a model's layers lie and in which number format: one device, several GPUs, 8 or 4 bits."""

import os
from dataclasses import dataclass
from typing import Any

import torch

from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.hardware.devices import available_devices, choose_device, choose_dtype
from dashboard.engine.hardware.dtypes import BITS, FORMATS, can_quantise
from dashboard.engine.settings import DEVICE_VARIABLE, DTYPE_VARIABLE

SPREAD = "auto"


@dataclass(frozen=True)
class Placement:
    """Where a model goes when it is loaded.

    Attributes:
        device: Where it runs; for a model on several GPUs, where its input goes.
        dtype: The format it computes in.
        bits: 8 or 4 where its weights are stored in so few; None otherwise.
        spread: Its layers lie on several GPUs, as accelerate divides them.
    """

    device: torch.device
    dtype: torch.dtype
    bits: int | None = None
    spread: bool = False

    @property
    def format(self) -> str:
        """The name of the number format that weights are stored in."""
        return f"int{self.bits}" if self.bits else str(self.dtype).removeprefix("torch.")

    @property
    def weight_bytes(self) -> float:
        """Bytes that one weight takes."""
        return self.bits / 8 if self.bits else float(self.dtype.itemsize)

    def arguments(self) -> dict[str, Any]:
        """What `from_pretrained` is told besides; empty for one device and a plain format."""
        found: dict[str, Any] = {}
        if self.spread:
            found["device_map"] = SPREAD
        elif self.bits:
            found["device_map"] = {"": str(self.device)}
        if self.bits:
            from transformers import BitsAndBytesConfig  # here, because devices are listed without transformers

            found["quantization_config"] = (
                BitsAndBytesConfig(load_in_8bit=True)
                if self.bits == 8
                else BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=self.dtype)
            )
        return found


def choose_placement(device: str | None = None, dtype: str | None = None) -> Placement:
    """The wanted place and format, else the environment's, else the best device here and its usual format.

    Args:
        device: "auto" for all GPUs where there are several (the best device here otherwise), or as `choose_device`.
        dtype: "int8" or "int4" where bitsandbytes is installed, or as `choose_dtype`.

    Raises:
        InvalidInput: Not known, or not on this machine.
        Unsupported: The format needs a package or a device that is not here.
    """
    device, dtype = device or os.environ.get(DEVICE_VARIABLE), dtype or os.environ.get(DTYPE_VARIABLE)
    spread = device == SPREAD and torch.cuda.device_count() > 1
    if device == SPREAD:
        device = _best()
    where = choose_device(device)
    if dtype and dtype not in FORMATS:
        raise InvalidInput(f"Unknown number format “{dtype}”.", f"Choose one of: {', '.join(FORMATS)}.")
    if dtype not in BITS:
        return Placement(where, choose_dtype(where, dtype), spread=spread)
    if not can_quantise():
        raise Unsupported(
            f"The number format {dtype} needs the package bitsandbytes, which is not installed.",
            "Install it (`pip install bitsandbytes`), or choose float32, bfloat16 or float16.",
        )
    if where.type == "mps":
        raise InvalidInput(f"The number format {dtype} is not available on mps.", "Choose float16, or another device.")
    return Placement(
        where, torch.bfloat16 if where.type == "cpu" else choose_dtype(where, _plain()), BITS[dtype], spread
    )


def devices_here() -> tuple[str, ...]:
    """Where a model can go on this machine; all GPUs together where there are several."""
    several = torch.cuda.device_count() > 1
    return ((SPREAD,) if several else ()) + available_devices()


def default_device() -> str:
    """Where a model goes that nobody places.

    Raises:
        InvalidInput: The environment names a device that is not here.
    """
    placement = choose_placement()
    return SPREAD if placement.spread else str(placement.device).removesuffix(":0")


def default_format(device: str | None = None) -> str:
    """The number format of a model on that device when nobody chooses one.

    Raises:
        EngineError: As `choose_placement`.
    """
    return choose_placement(device).format


def _best() -> str:
    return available_devices()[0]


def _plain() -> str:
    """What quantised models compute in on a GPU: the environment may say int8, which is no format to compute in."""
    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float16"
