"""One forward pass with what the model's task asks for, and the attention it leaves behind."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from dashboard.engine.attention import Layer, RebuiltLayer, largest, output_error, placed
from dashboard.engine.capture import Recorder, recording, watching
from dashboard.engine.loading import LoadedModel
from dashboard.engine.verification import read_layers


def forward(
    model: LoadedModel,
    inputs: dict[str, Any],
    *,
    attentions: bool = False,
    keep_cache: bool = False,
    on_layer: Callable[[int], None] | None = None,
) -> Any:
    """One forward pass of the network with what its task asks for; the caller holds `model.running()`.

    Args:
        model: Whose network runs.
        inputs: Tensors by the names of the network's arguments.
        attentions: Ask for the model's own attention weights (eager models only).
        keep_cache: Ask for the keys and values, to go on from there.
        on_layer: Told how many layers are done, from inside the pass; an exception in it ends the pass. Models that are
            read by eager do not tell.
    """
    accepted = model.accepted
    options = model.task.options(accepted)
    if "use_cache" in accepted:
        options["use_cache"] = keep_cache
    if attentions:
        options["output_attentions"] = True
    with nullcontext() if on_layer is None else watching(on_layer):
        return model.network(**inputs, **options)


@dataclass(frozen=True, eq=False)
class Ran:
    """What one forward pass left behind; `output_error` is None when attention was read by eager."""

    outputs: Any
    layers: tuple[Layer | None, ...]
    output_error: float | None


def run_layers(model: LoadedModel, inputs: dict[str, Any], on_layer: Callable[[int], None]) -> Ran:
    """One forward pass that keeps every layer's attention; the caller holds `model.running()` and `torch.no_grad()`."""
    if not model.captures:
        outputs = forward(model, inputs, attentions=True)
        return Ran(outputs, read_layers(outputs.attentions, model.verification.causal), None)
    with recording(Recorder()) as recorder:
        outputs = forward(model, inputs, on_layer=on_layer)
    rebuilt = [RebuiltLayer(layer) for layer in recorder.layers]
    layers = placed(rebuilt, recorder.layer_indices, model.facts.n_layers)
    return Ran(outputs, layers, largest(output_error(layer) for layer in rebuilt))
