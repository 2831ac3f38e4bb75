"""What this machine has, and what a model and its texts take of it; ask only once the engine is there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.engine.hardware.dtypes import BITS, PLAIN, can_quantise

if TYPE_CHECKING:
    from dashboard.engine import LoadedModel, Trace
    from dashboard.engine.hardware.needs import Needs

_MAP_PIXELS, _THUMBNAIL_PIXELS = 256, 64


@dataclass(frozen=True)
class Offered:
    """How a model can be loaded here; the first of each is what nobody has to choose."""

    devices: tuple[str, ...]
    formats: tuple[str, ...]


def offered(device: str | None) -> Offered:
    """The devices of this machine, and the number formats that one of them offers.

    Raises:
        EngineError: There is no such device, or a setting of the server cannot be followed.
    """
    from dashboard.engine.hardware.placement import default_device, default_format, devices_here

    usual, plain = default_device(), default_format(device)
    formats = (*PLAIN, *(BITS if can_quantise() else ()))
    return Offered(_first(usual, devices_here()), _first(plain, formats))


def _first(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return (name, *(other for other in names if other != name))


@dataclass(frozen=True)
class Longest:
    """How long a text may be.

    Attributes:
        by_memory: What the free memory does for, rounded down to two digits: it moves all the time.
        by_model: What the model reads; None where positions have no limit.
    """

    by_memory: int
    by_model: int | None

    @property
    def tokens(self) -> int:
        """The smaller of the two."""
        return self.by_memory if self.by_model is None else min(self.by_memory, self.by_model)


def longest_text(model: "LoadedModel") -> Longest:
    """How long a text may be now."""
    from dashboard.engine.tracing.preflight import most_tokens

    most = most_tokens(model)
    digits = 10 ** max(0, len(str(most)) - 2)
    return Longest(most // digits * digits, model.facts.max_tokens)


def trace_needs(trace: "Trace") -> "Needs":
    """What running this trace's text takes."""
    from dashboard.engine.tracing.preflight import preflight_trace

    return preflight_trace(trace.model, len(trace.tokens), trace.encoded.n_tokens - len(trace.tokens))


def view_needs(trace: "Trace") -> "tuple[Needs, Needs]":
    """What drawing one head takes, and what drawing all of them takes."""
    from dashboard.engine.tracing.preflight import preflight_view

    one = preflight_view(trace, "heat map", max_pixels=_MAP_PIXELS)
    return one, preflight_view(trace, "thumbnails", max_pixels=_THUMBNAIL_PIXELS)
