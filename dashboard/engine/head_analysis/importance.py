"""How much each head matters to one choice: one forward and backward pass."""

import numpy as np
from jaxtyping import Float

from dashboard.engine.attribution.attribute import ask
from dashboard.engine.attribution.question import ContextGradient
from dashboard.engine.progress import Progress, silent
from dashboard.engine.tracing.trace import Trace


def head_importance(
    trace: Trace, target: int | None = None, progress: Progress = silent, *, site: str | None = None
) -> Float[np.ndarray, "layer head"]:
    """How strongly the explained logit would react if a head's output were scaled: |Σ C · ∂s/∂C| for each head.

    C are the head's context vectors (its output before the output projection) at all queries, s is the logit. To first
    order, the number is the change of the logit when the head is switched off. NaN where a layer has no such heads.

    Args:
        trace: The input and its prediction.
        target: Vocabulary or class index to explain; the most probable by default.
        progress: Told after each layer, forward and backward; may raise Cancelled.
        site: Whose heads; those that are shown first, by default.

    Raises:
        Unsupported: The model's attention is read by eager, which gives no context vectors.
        InvalidInput: The model has no such choice.
        OutOfMemory: The device could not hold the gradients.

    Source: Michel et al. 2019, equation 2, for one input and one logit instead of the loss over a data set.
    """
    contexts = ask(trace, target).context_gradients(progress)[trace.site(site).name]
    n_heads = max(context.values.shape[1] for context in contexts if context is not None)
    result = np.full((len(contexts), n_heads), np.nan, np.float32)
    for index, context in enumerate(contexts):
        if context is not None:
            found = _of_layer(context)
            result[index, : len(found)] = found
    return result


def _of_layer(context: ContextGradient) -> Float[np.ndarray, "head"]:
    """|Σ C · ∂s/∂C|; 0 where the logit does not depend on the layer at all."""
    product = (context.values * context.gradient).cpu()  # on the processor: mps has no float64
    return product.double().sum((0, 2)).abs().float().numpy()
