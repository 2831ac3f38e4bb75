"""Environment variables that the engine reads; all are optional."""

CACHE_VARIABLE = "ATTENTION_DASHBOARD_CACHE"
"""Folder for downloaded models."""

DEVICE_VARIABLE = "ATTENTION_DASHBOARD_DEVICE"
"""cuda, mps or cpu, where the caller does not say."""

DTYPE_VARIABLE = "ATTENTION_DASHBOARD_DTYPE"
"""float32, bfloat16 or float16, where the caller does not say."""
