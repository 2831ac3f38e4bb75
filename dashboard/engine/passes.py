"""A text as a model takes it, and one forward pass with what the model's task asks for."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dashboard.engine.capture import watching
from dashboard.engine.devices import stop_before_memory_ends
from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.loading import LoadedModel


@dataclass(frozen=True)
class Encoded:
    """A text as the model takes it."""

    text: str
    inputs: dict[str, Tensor]
    """By the names of the network's arguments, with a leading axis of 1."""
    offsets: list[tuple[int, int]]

    @property
    def ids(self) -> Int[Tensor, "token"]:
        return self.inputs["input_ids"][0]


def encode(model: LoadedModel, text: str) -> Encoded:
    """The text as the model takes it.

    Raises:
        InvalidInput: The text is empty, or has more tokens than the model takes.
    """
    if not text.strip():
        raise InvalidInput("There is no text.", "Type a sentence, or choose an example.")
    tokenizer = model.tokenizer
    encoding = tokenizer(text, return_offsets_mapping=True, return_tensors="pt", verbose=False)
    offsets = encoding.pop("offset_mapping")
    accepted = model.accepted
    inputs = {name: tensor.to(model.device) for name, tensor in encoding.items() if name in accepted}
    n_tokens, limit = inputs["input_ids"].shape[1], model.facts.max_tokens
    if limit is not None and n_tokens > limit:
        why = "" if model.captures else " (its attention must be read whole, which limits memory)"
        raise InvalidInput(
            f"The text has {n_tokens:,} tokens; {model.title} takes at most {limit:,}{why}.",
            f"Shorten it by {n_tokens - limit:,} tokens or choose a model with a longer context.",
        )
    return Encoded(text, inputs, [(start, end) for start, end in offsets[0].tolist()])


def forward(
    model: LoadedModel,
    inputs: dict[str, Any],
    *,
    attentions: bool = False,
    on_layer: Callable[[int], None] | None = None,
) -> Any:
    """One forward pass of the network with what its task asks for; the caller holds `model.running()`.

    Args:
        model: Whose network runs.
        inputs: Tensors by the names of the network's arguments.
        attentions: Ask for the model's own attention weights (eager models only).
        on_layer: Told how many layers are done, from inside the pass; an exception in it ends the pass. Models that are
            read by eager do not tell.
    """
    accepted = model.accepted
    options = model.task.options(accepted)
    if "use_cache" in accepted:
        options["use_cache"] = False
    if attentions:
        options["output_attentions"] = True
    with nullcontext() if on_layer is None else watching(on_layer):
        return model.network(**inputs, **options)


@dataclass(frozen=True)
class ReadGradient:
    """One layer's own attention weights, and a number's gradient there."""

    weights: Float[Tensor, "head query key"]
    gradient: Float[Tensor, "head query key"]


def attention_gradients(
    model: LoadedModel, inputs: dict[str, Any], number: Callable[[Any], Float[Tensor, ""]]
) -> tuple[ReadGradient, ...]:
    """What models that are read by eager attend to, and the gradient of a number with respect to it.

    Args:
        model: One that gives its attention by itself.
        inputs: Tensors by the names of the network's arguments.
        number: From the network's outputs to what is differentiated.

    Raises:
        Unsupported: The weights that the model gives are copies, on which its outputs do not depend.
        OutOfMemory: The device could not hold the way back.
    """
    network = model.network

    def start(module: Any, given: Any, embeddings: Tensor) -> Tensor:
        return embeddings.detach().requires_grad_()

    with model.running(), torch.enable_grad(), stop_before_memory_ends(network):
        if "inputs_embeds" in inputs:
            inputs = {**inputs, "inputs_embeds": inputs["inputs_embeds"].detach().clone().requires_grad_()}
        hook = network.get_input_embeddings().register_forward_hook(start)
        try:
            outputs = forward(model, inputs, attentions=True)
        finally:
            hook.remove()
        found = torch.autograd.grad(number(outputs), outputs.attentions, allow_unused=True)
    if any(gradient is None for gradient in found):
        raise Unsupported(
            f"{model.title} does not compute with the very attention weights that it gives, so they have no gradient.",
            "Choose a method without gradients of the attention.",
        )
    return tuple(
        ReadGradient(weights[0].detach().float(), gradient[0].float())
        for weights, gradient in zip(outputs.attentions, found, strict=True)
    )
