"""Attribution by other means: knocked-out columns of a 4-D mask, and finite differences."""

from typing import Any

import numpy as np
import torch


@torch.no_grad()
def knock_out(model: Any, ids: torch.Tensor, hidden: int | None, causal: bool) -> torch.Tensor:
    """Outputs when one key column is forbidden in every layer by a hand-made mask [1, 1, query, key], one run."""
    n_tokens = ids.shape[1]
    mask = torch.zeros(n_tokens, n_tokens)
    for q in range(n_tokens):
        for k in range(n_tokens):
            if (causal and k > q) or k == hidden:
                mask[q, k] = torch.finfo(torch.float32).min
    return model(input_ids=ids, attention_mask=mask[None, None])[0].float()


@torch.no_grad()
def directional_derivatives(model: Any, ids: torch.Tensor, target: int, step: float = 2e-3) -> np.ndarray:
    """x_i · ∂logit/∂x_i of every token by central differences along x_i, for a float64 model.

    Norms and softmax compute in float32 whatever the model's format, so a smaller step would drown in rounding.
    """
    embeddings = model.get_input_embeddings()(ids)
    found = []
    for i in range(ids.shape[1]):
        ends = []
        for sign in (1, -1):
            moved = embeddings.clone()
            moved[0, i] *= 1 + sign * step
            ends.append(float(model(inputs_embeds=moved).logits[0, -1, target]))
        found.append((ends[0] - ends[1]) / (2 * step))
    return np.array(found)


@torch.no_grad()
def derivatives_of(model: Any, inputs: dict[str, torch.Tensor], number: Any, step: float = 2e-3) -> np.ndarray:
    """The same for any number made of the model's outputs, and with the inputs' token types."""
    embeddings = model.get_input_embeddings()(inputs["input_ids"])
    rest = {name: tensor for name, tensor in inputs.items() if name != "input_ids"}
    found = []
    for i in range(embeddings.shape[1]):
        ends = []
        for sign in (1, -1):
            moved = embeddings.clone()
            moved[0, i] *= 1 + sign * step
            ends.append(float(number(model(inputs_embeds=moved, **rest))))
        found.append((ends[0] - ends[1]) / (2 * step))
    return np.array(found)


@torch.no_grad()
def gradient_norms(model: Any, ids: torch.Tensor, target: int, step: float = 2e-3) -> np.ndarray:
    """‖∂logit/∂x_i‖ of every token by central differences along every dimension, for a float64 model."""
    embeddings = model.get_input_embeddings()(ids)
    found = []
    for i in range(ids.shape[1]):
        squares = 0.0
        for d in range(embeddings.shape[2]):
            ends = []
            for sign in (1, -1):
                moved = embeddings.clone()
                moved[0, i, d] += sign * step
                ends.append(float(model(inputs_embeds=moved).logits[0, -1, target]))
            squares += ((ends[0] - ends[1]) / (2 * step)) ** 2
        found.append(squares**0.5)
    return np.array(found)


def integrated_gradients(
    model: Any, ids: torch.Tensor, target: int, baseline: torch.Tensor, n_steps: int
) -> np.ndarray:
    """Σ_d (x − b) · mean of ∂logit/∂x at the middle of each of n equal steps from b to x, one step at a time."""
    embeddings = model.get_input_embeddings()(ids).detach()
    total = torch.zeros_like(embeddings)
    for step in range(n_steps):
        at = (baseline + (step + 0.5) / n_steps * (embeddings - baseline)).requires_grad_(True)
        (gradient,) = torch.autograd.grad(model(inputs_embeds=at).logits[0, -1, target], at)
        total += gradient / n_steps
    return ((embeddings - baseline) * total).sum(-1)[0].float().cpu().numpy()


@torch.no_grad()
def gain(model: Any, ids: torch.Tensor, target: int, baseline: torch.Tensor) -> float:
    """The logit on the text less the logit where every embedding is the baseline."""
    embeddings = model.get_input_embeddings()(ids)
    ends = (model(inputs_embeds=x).logits[0, -1, target] for x in (embeddings, baseline.expand_as(embeddings)))
    whole, nothing = map(float, ends)
    return whole - nothing
