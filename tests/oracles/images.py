"""What a vision transformer does without some patches, by other means than the engine's: edited pixels and loops."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

EMBEDDERS = {
    "vit for classes": "vit.embeddings",
    "vit": "embeddings",
    "vit for digits (grey)": "vit.embeddings",
    "deit for classes": "deit.embeddings",
    "dinov2": "embeddings",
    "dinov2 for classes": "dinov2.embeddings",
    "dinov2 with registers": "embeddings",
    "clip (vision)": "pre_layrnorm",
    "siglip (vision)": "embeddings",
    "beit for classes": "beit.embeddings",
    "beit (relative positions)": "beit.embeddings",
    "ijepa for classes": "ijepa.embeddings",
    "data2vec (read by eager)": "data2vec_vision.embeddings",
}
"""The module that makes tokens of pixels, by the name that each architecture gives it."""


@contextmanager
def without_keys(twin: Any, hidden: list[int]) -> Iterator[None]:
    """An eager twin whose every attention is computed here, one head at a time, with some columns taken out."""
    modules = {sys.modules[type(module).__module__] for module in twin.modules() if hasattr(module, "is_causal")}
    originals = {module: module.eager_attention_forward for module in modules}

    def attend(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float | None = None, **rest: Any
    ) -> Any:
        scaling = scaling or query.shape[-1] ** -0.5
        seen = [k for k in range(key.shape[2]) if k not in hidden]
        out = torch.zeros(query.shape[0], query.shape[2], query.shape[1], value.shape[-1], dtype=query.dtype)
        for b in range(query.shape[0]):
            for h in range(query.shape[1]):
                scores = query[b, h] @ key[b, h, seen].T * scaling
                if attention_mask is not None:
                    scores = scores + attention_mask.expand(len(query), query.shape[1], -1, -1)[b, h][:, seen]
                out[b, :, h] = scores.softmax(-1) @ value[b, h, seen]
        return out, None

    for module in modules:
        module.eager_attention_forward = attend  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module, original in originals.items():
            module.eager_attention_forward = original  # type: ignore[attr-defined]


def painted(pixels: torch.Tensor, row: int, column: int, side: int, colour: float = 0.0) -> torch.Tensor:
    """The pixels with one patch in one colour, pixel by pixel."""
    changed = pixels.clone()
    for y in range(row * side, (row + 1) * side):
        for x in range(column * side, (column + 1) * side):
            changed[0, :, y, x] = colour
    return changed


@contextmanager
def reading(twin: Any, embedder: str, tokens: torch.Tensor) -> Iterator[None]:
    """The twin's first layer reads these tokens."""

    def put(module: Any, given: Any, result: Any) -> Any:
        return (tokens, *result[1:]) if isinstance(result, tuple) else tokens

    hook = twin.get_submodule(embedder).register_forward_hook(put)
    try:
        yield
    finally:
        hook.remove()


@torch.no_grad()
def tokens_of(twin: Any, embedder: str, pixels: torch.Tensor) -> torch.Tensor:
    """What the twin's first layer reads."""
    kept: list[torch.Tensor] = []

    def keep(module: Any, given: Any, result: Any) -> None:
        kept.append(result[0] if isinstance(result, tuple) else result)

    hook = twin.get_submodule(embedder).register_forward_hook(keep)
    twin(pixel_values=pixels)
    hook.remove()
    return kept[0]


def gradient(
    twin: Any, embedder: str, pixels: torch.Tensor, number: Callable[[Any], torch.Tensor]
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens, and the gradient there of a number made of the twin's outputs."""
    tokens = tokens_of(twin, embedder, pixels).clone().requires_grad_()
    with torch.enable_grad(), reading(twin, embedder, tokens):
        (found,) = torch.autograd.grad(number(twin(pixel_values=pixels)), tokens)
    return tokens[0].detach().numpy(), found[0].numpy()


def chefer(twin: Any, pixels: torch.Tensor, number: Callable[[Any], torch.Tensor]) -> np.ndarray:
    """R − I with R ← R + Ā R from the bottom layer up, from the gradients of the twin's own returned attention."""
    with torch.enable_grad():
        outputs = twin(pixel_values=pixels, output_attentions=True)
        gradients = torch.autograd.grad(number(outputs), outputs.attentions)
    n_tokens = outputs.attentions[0].shape[-1]
    result = np.eye(n_tokens)
    for weights, slope in zip(outputs.attentions, gradients, strict=True):
        product = (weights[0] * slope[0]).detach().double().numpy()
        result = result + np.maximum(product, 0).mean(0) @ result
    return result - np.eye(n_tokens)
