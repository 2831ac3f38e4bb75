"""How a network is wired around its attention, found once by watching a short probe go through it.

No architecture is named: the output projection is the first linear module that reads exactly what the heads put out,
and the place where its result joins the residual stream shows which kind of stream it is.
"""

from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from dashboard.engine.attention.capture import keeping_contexts
from dashboard.engine.errors import Unsupported
from dashboard.engine.internals.module_calls import Call, watched_calls
from dashboard.engine.internals.norms import LinearNorm, read_norm
from dashboard.engine.models.loading import LoadedModel
from dashboard.engine.tracing.forward import forward

Stream = Literal["sum", "normed sum", "sum of normed"]
"""What a layer's attention leaves in the residual stream: x + o (pre-norm), N(x + o) (post-norm) or x + N(o)."""

_INSTEAD = "Choose a method that needs less of the model's inside, such as leave-one-out or gradient × attention."


@dataclass(frozen=True, eq=False)
class LayerWiring:
    """One layer: the block, the projection of its heads' outputs, and how that joins the stream.

    Attributes:
        block: The module that is repeated; its first argument is the residual stream.
        projection: From all heads' outputs side by side to the stream; None where it was not found.
        n_heads: Query heads.
        stream: None where the place at which attention joins the stream was not found.
        norm: N, for the streams that have it.
        scale: What each dimension of the projection's output is multiplied by before it joins a sum, where that is done
            (layer scale: Touvron et al. 2021); part of `weight` and `bias`.
    """

    index: int
    block: nn.Module
    projection: nn.Module | None
    n_heads: int
    stream: Stream | None
    norm: LinearNorm | None
    scale: Float[Tensor, "hidden"] | None = None

    @property
    def weight(self) -> Float[Tensor, "head dim hidden"]:
        """The projection's weight by heads, float32.

        Raises:
            Unsupported: It was not found.
        """
        linear = self._found().weight.detach().float()
        rows = linear if isinstance(self.projection, Conv1D) else linear.T  # [head·dim, hidden]
        return self.scaled(rows).reshape(self.n_heads, -1, rows.shape[-1])

    @property
    def bias(self) -> Float[Tensor, "hidden"]:
        """The projection's bias, zero where it has none."""
        bias = self._found().bias
        return self.weight.new_zeros(self.weight.shape[-1]) if bias is None else self.scaled(bias.detach().float())

    def scaled(self, projected: Float[Tensor, "*rest hidden"]) -> Float[Tensor, "*rest hidden"]:
        """What the projection gave, as it joins the stream."""
        return projected if self.scale is None else projected * self.scale.to(projected.dtype)

    def _found(self) -> Any:
        if self.projection is None:
            raise Unsupported(
                f"The output projection of layer {self.index} was not found: no linear module reads exactly what its "
                "heads put out.",
                _INSTEAD,
            )
        return self.projection

    def joined(self) -> Stream:
        """The kind of stream.

        Raises:
            Unsupported: It was not found.
        """
        self._found()
        if self.stream is None:
            raise Unsupported(
                f"Where the attention of layer {self.index} joins the residual stream was not found: no module reads "
                "their sum.",
                _INSTEAD,
            )
        return self.stream


@dataclass(frozen=True, eq=False)
class Wiring:
    """All layers (None without softmax attention), and the norm between the last one and the head, where there is."""

    layers: tuple[LayerWiring | None, ...]
    final_norm: LinearNorm | None

    @property
    def present(self) -> list[LayerWiring]:
        return [layer for layer in self.layers if layer is not None]


_known: "WeakKeyDictionary[LoadedModel, Wiring]" = WeakKeyDictionary()


def wiring(model: LoadedModel) -> Wiring:
    """How the model is wired; found at the first call.

    Raises:
        Unsupported: Its attention is read by eager, or its layers could not be told apart.
    """
    with model.running():
        if model not in _known:
            _known[model] = _find(model)
        return _known[model]


def _find(model: LoadedModel) -> Wiring:
    if not model.captures:
        raise Unsupported(
            f"The attention of {model.title} is read directly, which does not show what each head puts out.", _INSTEAD
        )
    if tuple(model.verification.layout.n_layers) != ("self",):
        raise Unsupported(
            f"{model.title} has an encoder and a decoder; here one stack of layers is needed.",
            "Choose a method that runs the model, such as leave-one-out.",
        )
    network = model.network
    probe = model.probe()
    elements = {child for module in network.modules() if isinstance(module, nn.ModuleList) for child in module}
    with torch.no_grad(), keeping_contexts() as contexts, watched_calls(network, contexts) as calls:
        forward(model, probe.inputs)
    found, blocks = [], []
    for number, context in enumerate(contexts):
        block = next((c for c in calls if c.module in elements and c.first <= number < c.last), None)  # outermost first
        if block is None or block.last - block.first != 1 or block.given is None or block.given.dim() != 3:
            raise Unsupported(f"The layers of {model.title} could not be told apart.", _INSTEAD)
        inside = [call for call in calls if block.start <= call.start < block.end]
        index = number if context.layer_index is None else context.layer_index
        found.append(_layer(index, block, context.module, context.values.detach(), inside))
        blocks.append(block)
    hidden = blocks[-1].result
    after = [call for call in calls if call.start > blocks[-1].end and _is(call.given, hidden)]
    final = _norm(after[0]) if after else None
    return Wiring(model.verification.layout.arrange(found)["self"], final)


def _layer(index: int, block: Call, caller: nn.Module, heads: Tensor, inside: list[Call]) -> LayerWiring:
    x, out = block.given, block.result
    assert x is not None
    flat = heads.flatten(2)  # [batch, query, head·dim]
    projection = next(
        (c for c in inside if isinstance(c.module, nn.Linear | Conv1D) and c.last > block.first and _is(c.given, flat)),
        None,
    )
    if projection is None or projection.result is None or projection.result.shape != x.shape:
        return LayerWiring(index, block.module, None, heads.shape[2], None, None)
    o = projection.result
    called = next(call for call in inside if call.module is caller)
    stream: Stream | None = None
    norm: LinearNorm | None = None
    readers = [call for call in inside if _is(call.given, x + o, o)]
    beside = [call.result for call in inside if call.result is not None and call.result.shape == x.shape]
    if readers and _is(called.given, x):  # attention reads the stream itself, so the norm comes after
        norm = next(filter(None, map(_norm, readers)), None)
        stream = "normed sum" if norm else None
    elif readers or any(_is(out, x + o + other, o) for other in beside):  # the MLP comes next, or stands beside
        stream = "sum"
    else:
        for call in inside:
            if call.result is not None and call.result.shape == x.shape and _is(call.given, o):
                added = call.result
                if norm is None and any(_is(reader.given, x + added, added) for reader in inside):
                    norm = _norm(call)
        stream = "sum of normed" if norm else None
    scale = None
    if stream is None:
        later = [_scale(call, x, o) for call in inside if call.start > projection.end]
        scale = next((found for found in later if found is not None), None)
        stream = None if scale is None else "sum"
    return LayerWiring(index, block.module, projection.module, heads.shape[2], stream, norm, scale)


def _scale(reader: Call, x: Tensor, o: Tensor) -> Float[Tensor, "hidden"] | None:
    """λ, where the call reads x + λ ⊙ o; None where it does not."""
    if reader.given is None or reader.given.shape != x.shape:
        return None
    added, projected = (reader.given.float() - x.float()).flatten(0, -2), o.float().flatten(0, -2)  # [token, hidden]
    scale = (added * projected).sum(0) / projected.square().sum(0).clamp_min(1e-30)
    return scale if bool(scale.any()) and _is(added, scale * projected, added) else None


def _is(found: Tensor | None, wanted: Tensor | None, scale: Tensor | None = None) -> bool:
    """The same numbers; up to rounding that is small beside `scale`, where it is given."""
    if found is None or wanted is None or found.shape != wanted.shape:
        return False
    if scale is None:
        return torch.equal(found, wanted)
    return float((found.float() - wanted.float()).abs().max()) <= 1e-3 * float(scale.float().abs().max())


def _norm(call: Call) -> LinearNorm | None:
    """The call's module as a norm: a leaf that takes one tensor."""
    if call.given is None or call.n_tensors != 1 or next(call.module.children(), None) is not None:
        return None
    return read_norm(call.module, call.given.shape[-1], call.given)
