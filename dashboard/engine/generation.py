"""What a decoder writes after a text, one token at a time, each the most probable one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from dashboard.engine.encoding import check_length, encode, lengthened
from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.loading import LoadedModel
from dashboard.engine.passes import forward
from dashboard.engine.progress import Progress, silent
from dashboard.engine.tokens import Token


@dataclass(frozen=True, eq=False)
class Generation:
    """A continuation. `trace(model, text, continued=ids)` explains what comes next.

    Attributes:
        ids: The generated tokens, without the end-of-sequence token.
        tokens: The same, readable; offsets and words go on from the prompt.
        probabilities: How sure the model was of each.
        ended: The model ended the text itself: after these tokens it predicts an end-of-sequence token.
    """

    ids: tuple[int, ...]
    tokens: tuple[Token, ...]
    probabilities: Float[np.ndarray, "step"]
    ended: bool = False


def end_ids(model: LoadedModel) -> set[int]:
    """Tokens that end a text, by the model's own settings or its tokenizer's."""
    settings = (getattr(model.network, "generation_config", None), model.network.config, model.tokenizer)
    ends: set[int] = set()
    for found in (getattr(place, "eos_token_id", None) for place in settings):
        ends.update([] if found is None else [found] if isinstance(found, int) else found)
    return ends


@torch.no_grad()
def generate(model: LoadedModel, text: str, n_tokens: int, progress: Progress = silent) -> Generation:
    """The most probable continuation, token by token (greedy), with the keys and values of earlier tokens kept.

    Other sessions can run the model between two tokens.

    Args:
        model: A decoder that predicts the next token.
        text: What to continue.
        n_tokens: How many tokens at most; fewer when the model ends the text.
        progress: Told before each token and within its pass; may raise Cancelled.

    Raises:
        InvalidInput: The text is empty, or with that many tokens longer than the model takes.
        Unsupported: The model does not continue texts, or computed numbers that are not finite.
        OutOfMemory: The device could not hold it.
    """
    if not (model.task.causal and model.task.kind == "next token"):
        raise Unsupported(f"{model.title} does not continue texts.", "Choose a decoder (text generation).")
    if n_tokens < 1:
        raise InvalidInput(f"{n_tokens} tokens cannot be generated.", "Ask for at least one.")
    prompt = encode(model, text)
    check_length(model, len(prompt.offsets) + n_tokens)
    ends = end_ids(model)
    inputs, cache = prompt.inputs, None
    ids: list[int] = []
    probabilities: list[float] = []
    ended = False
    for step in range(n_tokens):
        message = f"Writing token {step + 1:,} of {n_tokens:,}"

        def report(n_layers_done: int, message: str = message, step: int = step) -> None:
            progress(message, (step + n_layers_done / model.facts.n_layers) / n_tokens)

        report(0)
        with model.running():
            outputs = forward(model, _after(inputs, cache), keep_cache=True, on_layer=report)
        cache = outputs.get("past_key_values")
        logits = outputs.logits[:, -1].float()
        if not bool(logits.isfinite().all()):
            raise Unsupported(
                f"{model.title} computed numbers that are not finite on this text (in {model.facts.dtype}).",
                "Load it in float32, or check its weights.",
            )
        best = int(logits[0].argmax())
        ended = best in ends
        if ended:
            break
        ids.append(best)
        probabilities.append(float(logits[0].softmax(-1)[best]))
        inputs = {name: lengthened(name, tensor, [best]) for name, tensor in inputs.items()}
    progress("Reading the tokens", 1.0)
    tokens = encode(model, text, ids).tokens(model.tokenizer)[len(prompt.offsets) :]
    return Generation(tuple(ids), tokens, np.array(probabilities, dtype=np.float64), ended)


def _after(inputs: dict[str, Any], cache: Any) -> dict[str, Any]:
    """What the network has not seen yet, with the cache of what it has; without a cache, everything."""
    if cache is None:
        return inputs
    # The mask covers the cached tokens too; everything else is for the new token alone.
    fed = {name: tensor if name == "attention_mask" else tensor[:, -1:] for name, tensor in inputs.items()}
    return {**fed, "past_key_values": cache}
