"""A model's own attention at every site and layer, by the library alone, with each tensor's layer read from its module.

Outputs list layers that have attention; in a hybrid model the third of them may be layer 11. Which one it is says the
name of the module that gave the very tensor ("model.layers.11.self_attn").
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

OUTPUTS = {
    "self": "attentions",
    "encoder": "encoder_attentions",
    "decoder": "decoder_attentions",
    "cross": "cross_attentions",
}


@contextmanager
def _noting(model: Any) -> Iterator[list[tuple[torch.Tensor, str]]]:
    """Within this block, every tensor of four axes that a module gives, with the module's name."""
    noted: list[tuple[torch.Tensor, str]] = []

    def note(name: str) -> Any:
        def hook(module: Any, given: Any, outputs: Any) -> None:
            for output in outputs if isinstance(outputs, tuple | list) else ():
                if isinstance(output, torch.Tensor) and output.dim() == 4:
                    noted.append((output, name))

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in model.named_modules()]
    try:
        yield noted
    finally:
        for hook in hooks:
            hook.remove()


def _layer_of(tensor: torch.Tensor, noted: list[tuple[torch.Tensor, str]]) -> int | None:
    for output, name in noted:
        numbers = re.findall(r"\.(\d+)(?=\.|$)", name)
        if output is tensor and numbers:
            return int(numbers[0])
    return None


def _by_layer(found: Any, noted: list[tuple[torch.Tensor, str]]) -> dict[int, np.ndarray]:
    # Linear attention may leave its state in the same place: numbers that are no weights, some of them negative.
    present = [(place, w) for place, w in enumerate(found) if w is not None and float(w.min()) >= 0]
    layers = [_layer_of(tensor, noted) for _, tensor in present]
    if None in layers or len(set(layers)) < len(layers):  # one module for all layers (ALBERT), or blocks of layers
        layers = [place for place, _ in present]
    return {
        layer: tensor[0].float().cpu().numpy()  # type: ignore[misc]
        for layer, (_, tensor) in zip(layers, present, strict=True)
    }


@torch.no_grad()
def attentions(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[Any, dict[str, dict[int, np.ndarray]]]:
    """The outputs, and weights [head, query, key] by site and layer, for the first example of the batch."""
    with _noting(model) as noted:
        outputs = model(**inputs, output_attentions=True)
    double = model.config.is_encoder_decoder
    sites = {
        site: _by_layer(outputs[name], noted)
        for site, name in OUTPUTS.items()
        if (site != "self") == double and outputs.get(name)
    }
    return outputs, sites
