"""A text as a model takes it, and one forward pass with what the model's task asks for."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from jaxtyping import Int
from torch import Tensor

from dashboard.engine.capture import watching
from dashboard.engine.errors import InvalidInput
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
