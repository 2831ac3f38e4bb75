"""Sizes of tiny models, and how one is made from the name of its class."""

from collections.abc import Callable
from typing import Any

import transformers

# One size for all; what an architecture calls it is in its row.
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}
GROUPED = {**SIZE, "num_key_value_heads": 2, "head_dim": 8}
GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128}
WINDOWED = {"sliding_window": 6, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}

Maker = Callable[[dict[str, Any]], transformers.PreTrainedModel]


def causal(config: str, **sizes: Any) -> Maker:
    kind = getattr(transformers, config)
    return lambda special: transformers.AutoModelForCausalLM.from_config(kind(**sizes, **special))


def of_class(model: str, config: str, **sizes: Any) -> Maker:
    kind = getattr(transformers, config)
    return lambda special: getattr(transformers, model)(kind(**sizes, **special))
