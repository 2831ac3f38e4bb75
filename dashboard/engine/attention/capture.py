"""The attention function that keeps queries and keys while the fused kernel does the work.

It is registered with transformers under one name, together with a mask function of the same name: without the
second, transformers gives an unknown name no mask at all, and padding and sliding windows are silently lost.
What a forward pass keeps is decided per call by a context variable, so a model that many sessions share never
changes its configuration after loading.
"""

import itertools
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from dashboard.engine.attention.captured_layer import CapturedLayer
from dashboard.engine.attention.key_masking import with_hidden
from dashboard.engine.attention.position_bias import PositionBias, from_matrix
from dashboard.engine.attention.visibility import Visibility, from_additive_mask, unmasked

NAME = "attention_dashboard"
_NUMBER = "attention_dashboard_layer"

# Tensors that the interface passes along and that do not touch the softmax.
_HARMLESS = {"position_ids", "cache_position", "cache", "attention_mask_2d", "past_key_values"}


@dataclass
class Recorder:
    """Collects the layers of one forward pass, in the order in which they ran.

    Args:
        flatten: Numbers of the calls whose queries are replaced by zero, so that attention becomes even. For the check
            that attention matters.
    """

    flatten: Container[int] = ()
    layers: list[CapturedLayer] = field(default_factory=list)
    layer_indices: list[int | None] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    # Layers share masks and biases: each is examined once. The tensor is kept beside its result so its id stays taken.
    _masks: dict[tuple[int, int, int], tuple[Tensor, Visibility]] = field(default_factory=dict)
    _biases: dict[int, tuple[Tensor, PositionBias]] = field(default_factory=dict)

    def visibility(self, mask: Tensor | None, query: Tensor, key: Tensor, causal: bool) -> Visibility:
        if mask is None:
            return unmasked(query.shape[2], key.shape[2], causal=causal, device=query.device)
        n_queries, n_keys = query.shape[2], key.shape[2]
        name = (id(mask), n_queries, n_keys)
        if name not in self._masks:  # one row may stand for all of them
            self._masks[name] = (mask, from_additive_mask(mask[0, 0, :, :n_keys].expand(n_queries, -1)))
        return self._masks[name][1]

    def bias(self, matrix: Tensor | None, n_keys: int) -> PositionBias | None:
        if matrix is None:
            return None
        if id(matrix) not in self._biases:
            self._biases[id(matrix)] = (matrix, from_matrix(matrix[0, :, :, :n_keys].detach()))
        return self._biases[id(matrix)][1]

    def finish(self) -> None:
        self._masks.clear()
        self._biases.clear()


_recorder: ContextVar[Recorder | None] = ContextVar("attention_dashboard_recorder", default=None)
_contexts: ContextVar["list[Context] | None"] = ContextVar("attention_dashboard_contexts", default=None)
_watcher: ContextVar[Iterator[None] | None] = ContextVar("attention_dashboard_watcher", default=None)
_silenced: ContextVar[Tensor | None] = ContextVar("attention_dashboard_silenced", default=None)


@contextmanager
def watching(on_layer: Callable[[int], None]) -> Iterator[None]:
    """Within this block, and this thread, each layer of a forward pass tells how many are done."""

    def count() -> Iterator[None]:
        for done in itertools.count(1):
            on_layer(done)
            yield

    token = _watcher.set(count())
    try:
        yield
    finally:
        _watcher.reset(token)


@dataclass(frozen=True)
class Context:
    """What one layer's heads put out, before the output projection mixes them; part of the graph of gradients."""

    values: Float[Tensor, "batch query head dim"]
    layer_index: int | None
    module: nn.Module
    """Which module of the network asked for attention."""


@contextmanager
def keeping_contexts() -> Iterator[list[Context]]:
    """Within this block, and this thread, forward passes with gradients keep every layer's context vectors.

    The model's weights need no gradients: the first layer's contexts start the graph.
    """
    kept: list[Context] = []
    token = _contexts.set(kept)
    try:
        yield kept
    finally:
        _contexts.reset(token)


@contextmanager
def silencing(tokens: Int[Tensor, "batch"]) -> Iterator[None]:
    """Within this block, and this thread, one token's value vectors are zero in each text of the batch.

    Attention still goes there; it finds nothing.
    """
    token = _silenced.set(tokens)
    try:
        yield
    finally:
        _silenced.reset(token)


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Within this block, and this thread, forward passes of capturing models fill the recorder."""
    token = _recorder.set(recorder)
    try:
        yield recorder
    finally:
        _recorder.reset(token)
        recorder.finish()


def number_layers(network: nn.Module) -> None:
    """Notes in every module which layer it belongs to: the first number in its name ("model.layers.11.self_attn")."""
    for name, module in network.named_modules():
        numbers = [part for part in name.split(".") if part.isdecimal()]
        if numbers:
            setattr(module, _NUMBER, int(numbers[0]))


def _layer_number(module: nn.Module) -> int | None:
    """The model's own number of the layer; its name's where it has none, or −1 for several layers at once (Zamba)."""
    number = getattr(module, "layer_idx", None)
    return getattr(module, _NUMBER, None) if number is None or number < 0 else number


def _needs_own_eager(query: Tensor, value: Tensor, extras: dict[str, Any]) -> bool:
    """SDPA raises on soft caps, silently drops sinks, and has no fused path for unequal widths."""
    capped_or_sunk = extras.get("softcap") is not None or extras.get("s_aux") is not None
    return capped_or_sunk or query.shape[-1] != value.shape[-1]


def _own_eager(module: nn.Module) -> Callable[..., tuple[Tensor, Tensor]]:
    return sys.modules[type(module).__module__].eager_attention_forward


def attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **extras: Any,
) -> tuple[Tensor, None]:
    """Runs the fused kernel; under a Recorder, keeps what the weights depend on.

    Shapes are transformers' own: query [batch, head, query, dim], key and value [batch, kv_head, key, dim], result
    [batch, query, head, dim].
    """
    recorder, watcher = _recorder.get(), _watcher.get()
    if watcher is not None:
        next(watcher)
    if recorder is not None and len(recorder.layers) in recorder.flatten:
        query = query * 0
    silenced = _silenced.get()
    if silenced is not None:
        value = value.clone()
        value[torch.arange(len(silenced), device=value.device), :, silenced] = 0
    causal = is_causal if is_causal is not None else getattr(module, "is_causal", True)
    causal = bool(causal) and attention_mask is None and query.shape[2] > 1
    attention_mask = with_hidden(attention_mask, query, key, causal)
    if _needs_own_eager(query, value, extras):
        mask = attention_mask
        if mask is None and causal:
            allowed = unmasked(query.shape[2], key.shape[2], causal=True, device=query.device)
            mask = allowed.additive(slice(None)).to(query.dtype).clamp_min(torch.finfo(query.dtype).min)[None, None]
        output, _ = _own_eager(module)(module, query, key, value, mask, dropout=dropout, scaling=scaling, **extras)
    else:
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **extras
        )
    contexts = _contexts.get()
    if contexts is not None:
        contexts.append(Context(output.requires_grad_(), _layer_number(module), module))
    if recorder is not None:
        _record(recorder, module, query, key, value, attention_mask, scaling, causal, extras, output)
    return output, None


def _record(
    recorder: Recorder,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float | None,
    causal: bool,
    extras: dict[str, Any],
    output: Tensor,
) -> None:
    for name, extra in extras.items():
        if isinstance(extra, Tensor) and name not in _HARMLESS and name not in ("s_aux", "position_bias"):
            recorder.unknown.add(name)
    sinks = extras.get("s_aux")
    bias = extras.get("position_bias")
    if mask is not None and mask.shape[1] > 1 and bias is None and bool((mask > torch.finfo(mask.dtype).min / 2).all()):
        mask, bias = None, mask  # BEiT: a number for each head that hides nothing
    recorder.layers.append(
        CapturedLayer(
            query=query[0].detach(),
            key=key[0].detach(),
            value=value[0].detach(),
            visibility=recorder.visibility(mask, query, key, causal),
            scaling=scaling if scaling is not None else query.shape[-1] ** -0.5,
            softcap=extras.get("softcap"),
            sinks=None if sinks is None else sinks.detach(),
            bias=recorder.bias(bias, key.shape[2]),
            last_output=output[0, -1].detach().clone(),
        )
    )
    recorder.layer_indices.append(_layer_number(module))


def mask_forward(**wanted: Any) -> Tensor | None:
    """The additive mask that every architecture understands, or None where the kernel's causal flag says it all.

    Leaving it out keeps a plain causal or full pass linear in memory. The arguments are transformers' own.
    """
    may_skip = wanted.get("allow_is_causal_skip", True) or wanted.get("allow_is_bidirectional_skip", False)
    if may_skip and sdpa_mask(**wanted) is None:
        return None
    return eager_mask(**wanted)


def register() -> None:
    """Makes NAME a valid `attn_implementation`; harmless when repeated."""
    AttentionInterface.register(NAME, attention_forward)
    AttentionMaskInterface.register(NAME, mask_forward)
