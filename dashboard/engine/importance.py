"""How much each head matters to one choice: one pass there and back."""

import itertools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dashboard.engine.attention import placed
from dashboard.engine.capture import Context, keeping_contexts
from dashboard.engine.errors import Unsupported
from dashboard.engine.passes import forward
from dashboard.engine.progress import Progress, silent
from dashboard.engine.tracing import Trace

_FORWARD_SHARE = 1 / 3
"""The way back takes about twice as long as the way there."""


def head_importance(
    trace: Trace, target: int | None = None, progress: Progress = silent
) -> Float[np.ndarray, "layer head"]:
    """How strongly the explained logit would react if a head's output were scaled: |Σ C · ∂s/∂C| for each head.

    C are the head's context vectors (its output before the output projection) at all queries, s is the logit. To first
    order, the number is the change of the logit when the head is switched off. NaN where a layer has no such heads.

    Args:
        trace: The input and its prediction.
        target: Vocabulary or class index to explain; the most probable by default.
        progress: Told after each layer, there and back; may raise Cancelled.

    Raises:
        Unsupported: The model's attention is read by eager, which gives no context vectors.
        InvalidInput: The model has no such choice.
        OutOfMemory: The device could not hold the gradients.

    Source: Michel et al. 2019, equation 2, for one input and one logit instead of the loss over a data set.
    """
    model, choice = trace.model, trace.choice(target)
    if not model.captures:
        raise Unsupported(
            f"The attention of {model.title} is read directly, which does not give what each head puts out.",
            "Use the other head scores, or a model whose attention can be captured.",
        )
    n_layers = model.facts.n_layers

    def there(n_done: int) -> None:
        progress("Head importance", _FORWARD_SHARE * n_done / n_layers)

    with model.running(), torch.enable_grad(), keeping_contexts() as contexts:
        outputs = forward(model, trace.encoded.inputs, on_layer=there)
        logit = trace.readout(outputs, torch.ones_like(trace.encoded.inputs["input_ids"]))[0, choice.id]
        _tell_on_the_way_back(contexts, progress)
        gradients = torch.autograd.grad(logit, [context.values for context in contexts], allow_unused=True)
    found = [_of_layer(context.values, gradient) for context, gradient in zip(contexts, gradients, strict=True)]
    layers = placed(found, [context.layer_index for context in contexts], n_layers)
    n_heads = max(len(layer) for layer in layers if layer is not None)
    result = np.full((len(layers), n_heads), np.nan, np.float32)
    for index, layer in enumerate(layers):
        if layer is not None:
            result[index, : len(layer)] = layer.cpu().numpy()
    return result


def _of_layer(contexts: Float[Tensor, "1 query head dim"], gradient: Tensor | None) -> Float[Tensor, "head"]:
    """|Σ C · ∂s/∂C|; 0 where the logit does not depend on the layer at all."""
    if gradient is None:
        return torch.zeros(contexts.shape[2])
    product = contexts.detach().float() * gradient.float()  # on the processor: mps has no float64
    return product.cpu().double().sum((0, 1, 3)).abs().float()


def _tell_on_the_way_back(contexts: list[Context], progress: Progress) -> None:
    """Progress from inside the backward pass, so that it can be stopped there too."""

    def report(n_done: int) -> None:
        progress("Head importance", _FORWARD_SHARE + (1 - _FORWARD_SHARE) * n_done / len(contexts))

    n_done = itertools.count(1)
    for context in contexts:
        context.values.register_hook(lambda gradient: report(next(n_done)))
