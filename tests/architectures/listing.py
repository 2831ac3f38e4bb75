"""Which architectures there are: transformers' own lists, by what the models are for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import transformers
from transformers import CONFIG_MAPPING
from transformers.models.auto import modeling_auto

# A class in two lists counts for the first.
KINDS: dict[str, Mapping[str, Any]] = {
    "causal": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    "seq2seq": modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    "masked": modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    "image": modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
}


@dataclass(frozen=True, order=True)
class Architecture:
    """One model class: its kind, transformers' name for its configuration, and the name of the class."""

    kind: str
    model_type: str
    class_name: str


def _vision_encoders() -> dict[str, str]:
    """Encoders of images without a head: those of models that see and read, and those that are trained unsupervised."""
    found = {}
    for model_type, name in modeling_auto.MODEL_MAPPING_NAMES.items():
        if model_type in KINDS["image"] or not isinstance(name, str):
            continue
        if not (model_type.endswith("vision_model") or model_type in ("dinov3_vit", "sam3_vit_model", "vit_mae")):
            continue
        if getattr(transformers, name).main_input_name == "pixel_values":
            found[model_type] = name
    return found


def architectures() -> list[Architecture]:
    """All of them, sorted; each class once.

    A class that is listed for the configuration of a larger model, of which it is a part, counts under its own.
    """
    found: dict[str, Architecture] = {}
    for kind, names in {**KINDS, "image": {**KINDS["image"], **_vision_encoders()}}.items():
        for model_type, name in names.items():
            name = name if isinstance(name, str) else name[0]
            if model_type in CONFIG_MAPPING and getattr(transformers, name).config_class.model_type == model_type:
                found.setdefault(name, Architecture(kind, model_type, name))
    return sorted(found.values())
