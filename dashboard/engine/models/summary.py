"""What the sidebar says about a model."""

from dataclasses import dataclass
from typing import Any

from dashboard.engine.attention.verification import Verification
from dashboard.engine.hardware.devices import free_memory
from dashboard.engine.hardware.placement import Placement
from dashboard.engine.tasks.task import Task

_WEIGHT_BYTES = 4
_EAGER_BUDGET = 2 * 1024**3


@dataclass(frozen=True)
class Facts:
    """What the sidebar says about a model.

    `n_layers` and `n_heads` are those of the encoder where there is a decoder too; `max_tokens` is None where positions
    have no limit.
    """

    architecture: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    n_parameters: int
    weight_bytes: int
    device: str
    dtype: str
    max_tokens: int | None


def facts_of(network: Any, reader: Any, verification: Verification, placement: Placement, task: Task) -> Facts:
    """The facts of a model that was checked.

    Args:
        network: The model.
        reader: Its tokenizer or image processor.
        verification: What the check found.
        placement: Where and in which format it lies.
        task: What it predicts.
    """
    config = task.part(network.config)
    n_layers, n_heads = next(iter(verification.layout.n_layers.values())), config.num_attention_heads
    limits = [task.max_tokens]
    if task.reads == "text":
        limits += [getattr(config, "max_position_embeddings", None), reader.model_max_length]
    stated = [n for n in limits if n is not None and 0 < n < 1e9]
    if verification.method == "eager":
        per_pair = sum(verification.layout.n_layers.values()) * n_heads * _WEIGHT_BYTES
        budget = min(_EAGER_BUDGET, free_memory(network.device) / 4)
        stated.append(int((budget / per_pair) ** 0.5))
    parameters = list(network.parameters())
    return Facts(
        architecture=type(network).__name__,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=getattr(config, "num_key_value_heads", None) or n_heads,
        n_parameters=sum(p.numel() for p in parameters),
        weight_bytes=sum(p.nbytes for p in parameters),
        device=str(network.device),
        dtype=placement.format,
        max_tokens=int(min(stated)) if stated else None,
    )
