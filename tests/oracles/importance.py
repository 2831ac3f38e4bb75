"""Head importance by finite differences: scale what one head puts out, and see how the logit moves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


@torch.no_grad()
def by_scaling(
    model: Any, projections: list[Any], n_heads: int, logit: Callable[[Any], float], step: float = 1e-3
) -> np.ndarray:
    """|∂ logit / ∂ scale| of every head by central differences.

    Args:
        model: A twin in float64 that never heard of capturing.
        projections: The output projection of each layer; its input is all heads' outputs side by side.
        n_heads: Heads a layer.
        logit: Runs the model and reads the explained logit.
        step: Of the scale.
    """
    found = np.zeros((len(projections), n_heads))
    for layer, projection in enumerate(projections):
        for head in range(n_heads):
            ends = []
            for scale in (1 + step, 1 - step):

                def scaled(module: Any, inputs: tuple[Any, ...], head: int = head, scale: float = scale) -> Any:
                    changed = inputs[0].clone()
                    width = changed.shape[-1] // n_heads
                    changed[..., head * width : (head + 1) * width] *= scale
                    return (changed,)

                handle = projection.register_forward_pre_hook(scaled)
                ends.append(logit(model))
                handle.remove()
            found[layer, head] = abs(ends[0] - ends[1]) / (2 * step)
    return found
