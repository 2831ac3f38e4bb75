"""Tiny models' traces beside twins by eager attention, and the numbers that methods explain."""

from pathlib import Path
from typing import Any

import torch
from oracles import eager
from tiny import TEXT, make_folder

from dashboard.engine import METHODS, Trace, load_model, trace

FOLLOWING = [name for name, method in METHODS.items() if method.family == "attention"]


def traced(name: str, folder: Path, device: str, dtype: torch.dtype = torch.float32) -> tuple[Trace, Any]:
    """A tiny model's trace, and its twin by eager attention."""
    model = load_model(str(make_folder(name, folder)), device=device, dtype="float32")
    found = trace(model, TEXT + (" [MASK]" if model.task.kind == "masked token" else ""))
    return found, eager.load(model.name, model.task.auto_class, device, dtype)


def logit(found: Trace, target: int, against: int | None = None) -> Any:
    """Reads the explained number off a twin's outputs."""

    def read(outputs: Any) -> torch.Tensor:
        row = outputs.logits[0] if found.prediction.position is None else outputs.logits[0, found.prediction.position]
        return row[target] if against is None else row[target] - row[against]

    return read
