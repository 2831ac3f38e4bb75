"""A model's own attention and outputs, by the library alone: loaded again from its folder, with eager kernels."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers


def load(folder: Path | str, auto_class: Any, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any:
    """A second copy of the model that never heard of capturing."""
    transformers.logging.disable_progress_bar()
    return auto_class.from_pretrained(folder, dtype=dtype, attn_implementation="eager").to(device).eval()


@torch.no_grad()
def attentions(model: Any, inputs: dict[str, torch.Tensor]) -> np.ndarray:
    """Weights of all heads [layer, head, query, key] for the first text of the batch."""
    found = model(**inputs, output_attentions=True).attentions
    assert found, "eager attention gave nothing: the comparison would be empty"
    return np.stack([layer[0].float().cpu().numpy() for layer in found])


@torch.no_grad()
def logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The model's logits, float32."""
    return model(**inputs).logits.float().cpu()
