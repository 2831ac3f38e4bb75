"""What a load, a trace or a view will need, said before it starts: nothing is killed by the system for lack of memory.

Nothing here runs the model or reads a tensor: sizes come from file headers and from the configuration.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

from dashboard.engine import attention, devices
from dashboard.engine.errors import OutOfMemory
from dashboard.engine.loading import LoadedModel
from dashboard.engine.needs import SLACK, Needs, gb, preflight_load

__all__ = [
    "Needs",
    "check_view",
    "expected_seconds",
    "guarded",
    "most_tokens",
    "preflight_load",
    "preflight_trace",
    "preflight_view",
]

# What is measured beside the sizes of the tensors themselves: (of what is kept, of what passes). The C library's heap
# keeps holes between the tensors that stay; torch's own allocator on GPUs rounds up.
_ON_CPU = (1.4, 1.75)
_ON_GPU = (1.1, 1.1)

View = Literal["heat map", "thumbnails", "scores", "weights"]


def preflight_trace(model: LoadedModel, n_tokens: int) -> Needs:
    """What running the model on so many tokens will take, beyond the model itself."""
    free = _free(model)
    peak = _trace_bytes(model, n_tokens)
    fits = peak <= SLACK * free
    advice = ""
    if not fits:
        most = most_tokens(model, free)
        advice = f"Shorten the text to at most {most:,} tokens" if most > 1 else "Free memory and try again"
        if model.facts.dtype == "float32":
            advice += ", or load the model in bfloat16, which takes half"
        advice += "." if model.device.type == "cpu" else ", or on the device cpu."
    return Needs(model.facts.weight_bytes, peak, free, fits, advice, expected_seconds(model, n_tokens))


def most_tokens(model: LoadedModel, free: int | None = None) -> int:
    """The longest text whose trace would fit."""
    budget = SLACK * (_free(model) if free is None else free)
    low, high = 0, 1
    while _trace_bytes(model, high) <= budget and high < 1 << 30:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _trace_bytes(model, middle) <= budget else (low, middle)
    return low


@contextmanager
def guarded(model: LoadedModel, n_tokens: int) -> Iterator[None]:
    """Around a trace: refuses one that would not fit, and remembers how long it took.

    Raises:
        OutOfMemory: It would not fit; nothing was started.
    """
    needs = preflight_trace(model, n_tokens)
    if not needs.fits:
        raise OutOfMemory(
            f"Running {model.title} on {n_tokens:,} tokens would take {gb(needs.peak_bytes)} beyond the model, and "
            f"{gb(needs.free_bytes)} are free on {model.device}.",
            needs.advice,
        )
    started = time.perf_counter()
    yield
    _paces[model] = (time.perf_counter() - started) / max(1, n_tokens)


_paces: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
"""Seconds for each token, of the last trace of each model."""


def expected_seconds(model: LoadedModel, n_tokens: int) -> float | None:
    """How long a trace will take, judged by the model's last one; None before the first."""
    pace = _paces.get(model)
    return None if pace is None else pace * n_tokens


def _trace_bytes(model: LoadedModel, n_tokens: int) -> int:
    size = Size.of(model)
    item = model.network.dtype.itemsize
    on_cpu = model.device.type == "cpu"
    kept_share, passing_share = _ON_CPU if on_cpu else _ON_GPU
    passing = passing_share * (4 if on_cpu else item) * size.passing  # rotary codes and norms are float32 in any format
    pairs = n_tokens * n_tokens
    if not model.captures:  # every layer's weights are read whole, and one layer's scores pass on top
        kept = pairs * size.n_heads * (size.n_layers * item + 3 * 4)
    else:
        kept = int(n_tokens * kept_share * size.n_layers * size.kept * item)
        if size.window and n_tokens > size.window:  # such a mask is written out whole
            kept += pairs * (item + 4)
    return int(kept + n_tokens * (passing + size.logits * item))


@dataclass(frozen=True)
class Size:
    """Numbers that a pass holds for each token.

    Attributes:
        n_layers: Layers that keep something.
        n_heads: Query heads.
        kept: Of one layer: query, key and value.
        passing: At the fullest moment of a layer, and gone after it.
        logits: Of the head, where it says something at every token.
        window: Of layers that look back only so far, in tokens; 0 where there are none.
    """

    n_layers: int
    n_heads: int
    kept: int
    passing: int
    logits: int
    window: int

    @classmethod
    def of(cls, model: LoadedModel) -> "Size":
        """Read from the configuration."""
        config = model.network.config.get_text_config()
        n_heads, n_kv = model.facts.n_heads, model.facts.n_kv_heads
        hidden = config.hidden_size
        head_dim = getattr(config, "head_dim", None) or hidden // n_heads
        inner = max((value for name in _INNER if isinstance(value := getattr(config, name, None), int)), default=0)
        gated = any(name.endswith(_GATES) for name, _ in model.network.named_modules())
        every = model.task.kind in ("next token", "masked token") and "logits_to_keep" not in model.accepted
        return cls(
            n_layers=model.facts.n_layers,
            n_heads=n_heads,
            kept=head_dim * (n_heads + 2 * n_kv),
            passing=(3 if gated else 2) * (inner or 4 * hidden) + 2 * hidden,
            logits=config.vocab_size if every else 0,
            window=getattr(config, "sliding_window", None) or 0,
        )


_INNER = ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "hidden_dim")
_GATES = ("gate_proj", "gate_up_proj")


def preflight_view(trace: Any, what: View, *, max_pixels: int = 256, site: str = "self") -> Needs:
    """What drawing or scoring a trace will take; small but for very long texts."""
    layers = [layer for layer in trace.layers[site] if layer is not None]
    n_queries, n_keys = max(layer.n_queries for layer in layers), max(layer.n_keys for layer in layers)
    n_heads = max(layer.n_heads for layer in layers)
    row = n_keys * (1 if what == "heat map" else n_heads)
    rows_at_once = max(1, attention.BLOCK_WEIGHTS // row)
    if what in ("heat map", "thumbnails"):  # a row of pixels is never split
        rows_at_once = max(rows_at_once, -(-n_queries // max_pixels))
    elif what == "weights":
        rows_at_once = n_queries
    peak = 4 * 4 * min(rows_at_once, n_queries) * row  # scores, weights and two steps of pooling, float32
    free = devices.free_memory(layers[0].device)
    fits = peak <= SLACK * free
    advice = "" if fits else "Zoom in, ask for one head at a time, or free memory and try again."
    return Needs(trace.model.facts.weight_bytes, peak, free, fits, advice)


def check_view(trace: Any, what: View, *, max_pixels: int = 256, site: str = "self") -> None:
    """As `preflight_view`.

    Raises:
        OutOfMemory: It would not fit.
    """
    needs = preflight_view(trace, what, max_pixels=max_pixels, site=site)
    if not needs.fits:
        raise OutOfMemory(
            f"The {what} of {len(trace.tokens):,} tokens would take {gb(needs.peak_bytes)}, and "
            f"{gb(needs.free_bytes)} are free.",
            needs.advice,
        )


def _free(model: LoadedModel) -> int:
    return devices.free_memory(model.device)
