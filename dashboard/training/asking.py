"""Asking in the middle of a pass whether to go on: one step of a large model can take a minute."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from dashboard.engine.attention import module_hooks
from dashboard.engine.attention.recording import ModuleHook, Recording, recording
from dashboard.engine.internals.module_calls import tensors


@contextmanager
def asked_in_every_layer(network: nn.Module, ask: Callable[[], None]) -> Iterator[None]:
    """Within this block, `ask` is called at each layer, on the way through the network and on the way back.

    What it raises ends the pass; weights are as before it.
    """

    def on_the_way_back(gradient: Tensor) -> None:
        ask()

    def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        ask()
        first = next(tensors(output), None)
        if first is not None and first.requires_grad:
            first.register_hook(on_the_way_back)

    module_hooks.install(network)
    layers = [layer for part in network.modules() if isinstance(part, nn.ModuleList) for layer in part]
    into = Recording()
    for layer in layers:
        into.hook(layer, ModuleHook(after=after))
    with recording(into):
        yield
