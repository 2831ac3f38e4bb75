"""The proof, at load, that what will be drawn is what the model computes.

A short probe goes through the model twice: once with its own eager attention, once capturing. Weights are compared
for every layer and head; then attention is flattened, which must move the outputs, so that tensors of the right
shape that the model does not use cannot pass.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from dashboard.engine import capture
from dashboard.engine.attention import ReadLayer, RebuiltLayer, largest
from dashboard.engine.capture import Recorder, recording
from dashboard.engine.tokens import special_ids
from dashboard.engine.visibility import Visibility, unmasked

PROBE_TOKENS = 24
# A window that a probe can outgrow cheaply is tested too.
LONGEST_PROBE = 300
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.02}
"""Largest accepted difference of one weight. Eager rounds scores to the model's format before the softmax, which in
bfloat16 alone moves weights by up to 0.06; in float32 an honest rebuild stays below 1e-5."""


@dataclass(frozen=True)
class Verification:
    """What the probe showed.

    Attributes:
        method: "capture" when weights are rebuilt from queries and keys, "eager" when they are read.
        max_difference: Largest difference between a rebuilt weight and the model's own, over all layers and heads.
        n_tokens: Length of the probe.
        output_shift: How far flattened (or cut) attention moved the outputs, relative to their size.
        causal: No weight of the probe looked ahead.
    """

    method: Literal["capture", "eager"]
    max_difference: float
    n_tokens: int
    output_shift: float
    causal: bool


class NotVerified(Exception):
    """The probe failed; the message says which check and by how much."""


def probe_ids(config: Any, tokenizer: Any, device: torch.device) -> Int[Tensor, "1 token"]:
    """Random ordinary tokens, the same every time; longer than a short sliding window."""
    window = getattr(config, "sliding_window", None) or 0
    length = window + 16 if 0 < window <= LONGEST_PROBE - 16 else PROBE_TOKENS
    limit = getattr(config, "max_position_embeddings", None) or 0
    limit = limit if limit > 0 else length + 4  # some say −1 for "no limit"
    special = special_ids(tokenizer)
    ordinary = [i for i in range(min(config.vocab_size, 50_000)) if i not in special]
    ids = random.Random(0).choices(ordinary, k=min(length, limit - 4))
    return torch.tensor([ids], device=device)


def _first_tensor(outputs: Any) -> Tensor:
    tensor: Tensor = outputs[0]
    return tensor.float()


def _shift(changed: Tensor, original: Tensor) -> float:
    return float((changed - original).abs().max() / original.abs().max().clamp_min(1e-12))


def _looks_back_only(attentions: Iterable[Tensor]) -> bool:
    return all(float(weights.float().triu(1).max()) == 0 for weights in attentions)


def _check_rows(weights: Tensor, causal: bool, tolerance: float, may_lose: bool) -> None:
    sums = weights.sum(-1)
    if not (float(weights.min()) >= 0 and float(sums.max()) <= 1 + tolerance):
        raise NotVerified("its attention has negative weights or rows above 1: these are not softmax weights")
    if not may_lose and float(sums.min()) < 1 - tolerance:
        raise NotVerified("rows of its attention do not sum to 1")
    if causal and float(weights.triu(1).max()) > 0:
        raise NotVerified("its attention looks ahead although the model is causal")


@torch.no_grad()
def verify_capture(network: Any, ids: Int[Tensor, "1 token"], causal: bool) -> Verification:
    """Compares rebuilt weights with the model's own; leaves the model capturing.

    Raises:
        NotVerified: The model does not use the attention interface, or any check failed.
    """
    tolerance = TOLERANCE.get(network.dtype, 1e-4)
    network.set_attn_implementation("eager")
    eager = network(input_ids=ids, output_attentions=True)
    network.set_attn_implementation(capture.NAME)
    with recording(Recorder()) as recorder:
        captured = network(input_ids=ids)
    own = [layer for layer in (eager.attentions or ()) if layer is not None]
    if not recorder.layers or len(recorder.layers) != len(own):
        raise NotVerified(f"{len(recorder.layers)} layers were captured, its own attention has {len(own)}")
    if recorder.unknown:
        raise NotVerified(f"unknown tensors may change its softmax: {', '.join(sorted(recorder.unknown))}")
    differences = []
    for kept, expected in zip(recorder.layers, own, strict=True):
        rebuilt = RebuiltLayer(kept).weights(slice(None), slice(0, ids.shape[1]))
        if rebuilt.shape != expected[0].shape:
            raise NotVerified(f"shapes differ: {tuple(rebuilt.shape)} and {tuple(expected[0].shape)}")
        differences.append(float((rebuilt - expected[0].float()).abs().max()))
        _check_rows(rebuilt, causal, tolerance, may_lose=kept.sinks is not None)
    difference = largest(differences)
    if not difference <= tolerance:
        raise NotVerified(f"rebuilt weights differ from its own by {difference:.1e}")
    with recording(Recorder(flatten=True)):
        flattened = network(input_ids=ids)
    shift = _shift(_first_tensor(flattened), _first_tensor(captured))
    if not shift > 1e-3:
        raise NotVerified("flattening its attention does not move its outputs")
    return Verification("capture", difference, ids.shape[1], shift, _looks_back_only(own))


@torch.no_grad()
def verify_eager(network: Any, ids: Int[Tensor, "1 token"], causal: bool) -> Verification:
    """Checks the attention that a model gives by itself, where it cannot be captured.

    Raises:
        NotVerified: It gives none, or what it gives are not softmax weights that the outputs depend on.
    """
    outputs = network(input_ids=ids, output_attentions=True)
    if not outputs.get("attentions"):
        raise NotVerified("it does not give its attention")
    n_tokens = ids.shape[1]
    for weights in outputs.attentions:
        if weights is None or weights.shape[-2:] != (n_tokens, n_tokens):
            raise NotVerified("its attention is not one weight for each pair of tokens")
        _check_rows(weights[0].float(), causal, 1e-3, may_lose=False)
    cut = torch.ones_like(ids)
    cut[0, n_tokens // 2] = 0
    without = network(input_ids=ids, attention_mask=cut, output_attentions=True)
    column = largest(float(w[0, :, n_tokens // 2 + 1 :, n_tokens // 2].max()) for w in without.attentions)
    shift = _shift(_first_tensor(without)[:, -1], _first_tensor(outputs)[:, -1])
    if not (column <= 1e-4 and shift > 1e-5):
        raise NotVerified("masking a token changes neither its attention nor its outputs")
    return Verification("eager", 0.0, n_tokens, shift, _looks_back_only(outputs.attentions))


def read_layers(attentions: Any, causal: bool) -> tuple[ReadLayer, ...]:
    """The layers of a model that gives its attention by itself.

    What a query may see is not told, so it is read off: nothing ahead in a causal model, and nothing further back than
    the furthest weight of the layer (local attention).
    """
    return tuple(ReadLayer(w[0], _seen(w[0], causal)) for w in attentions)


def _seen(weights: Tensor, causal: bool) -> Visibility:
    n_tokens = weights.shape[-1]
    everything = unmasked(n_tokens, n_tokens, causal=causal, device=weights.device)
    if not causal:
        return everything
    looked_at = (weights > 0).any(0)  # [query, key]
    back = torch.arange(n_tokens, device=weights.device)[:, None] - looked_at.int().argmax(1)[:, None]
    furthest = int(back.max())
    start = (torch.arange(n_tokens, device=weights.device) - furthest).clamp_min(0)
    return Visibility(start, everything.stop, everything.key_visible)
