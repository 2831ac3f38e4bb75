"""A model's own attention and outputs, by the library alone: loaded again from its folder, with eager kernels."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from tests.oracles.patching import OUTPUT_TOLERANCE, patched


def load(folder: Path | str, auto_class: Any, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any:
    """A second copy of the model that never heard of capturing."""
    transformers.logging.disable_progress_bar()
    return auto_class.from_pretrained(folder, dtype=dtype, attn_implementation="eager").to(device).eval()


@torch.no_grad()
def outputs(model: Any, inputs: dict[str, torch.Tensor], traced: Any) -> Any:
    """The outputs of one pass, with the attention weights on the hidden states of a traced copy.

    What each attention module puts out is compared with the traced copy's on the way.

    Args:
        model: The second copy.
        inputs: What it is run on.
        traced: The network of the `LoadedModel` whose attention is compared with this one's.
    """
    with patched(model, traced, inputs) as differences:
        found = model(**inputs, output_attentions=True)
    assert max(differences) <= OUTPUT_TOLERANCE
    return found


def attentions(model: Any, inputs: dict[str, torch.Tensor], traced: Any) -> np.ndarray:
    """Weights of all heads [layer, head, query, key] for the first text of the batch, as `outputs` gives them."""
    found = outputs(model, inputs, traced).attentions
    assert found, "eager attention gave nothing: the comparison would be empty"
    return np.stack([layer[0].float().cpu().numpy() for layer in found])


@torch.no_grad()
def logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The model's logits, float32."""
    return model(**inputs).logits.float().cpu()
