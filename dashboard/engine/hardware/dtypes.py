"""The number formats that a model's weights can be loaded in; known before torch is imported."""

import importlib.util

PLAIN = ("float32", "bfloat16", "float16")
BITS = {"int8": 8, "int4": 4}
"""Formats that need bitsandbytes, and how many bits a weight takes in them."""

FORMATS = (*PLAIN, *BITS)


def can_quantise() -> bool:
    """Whether the formats of few bits can be had here."""
    return importlib.util.find_spec("bitsandbytes") is not None
