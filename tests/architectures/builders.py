"""Tiny random models of any architecture that transformers has, each saved as a folder that `load_model` opens."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tiny import tokenizer
from transformers import CONFIG_MAPPING, AutoImageProcessor

from tests.architectures.exceptions import IMAGE_PROCESSORS, SETTINGS
from tests.architectures.listing import Architecture
from tests.architectures.shrinking import Vocabulary, changes

MAX_PARAMETERS = 20_000_000
IMAGE_SIZE = 32
_PLACEHOLDERS = [f"<|place {i}|>" for i in range(16)]
_SPREADS = (0.3, 0.1, 0.03)
"""Standard deviations of the weights to try: the first with which the outputs stay finite; larger is sharper."""


class CannotBuild(Exception):
    """There is no tiny model of that architecture; the message says why."""


def make_tokenizer(kind: str) -> transformers.PreTrainedTokenizerFast:
    """Byte-level BPE for decoders; WordPiece, which puts its marks around a text, for others."""
    words = tokenizer(byte_level=kind == "causal")
    if kind == "seq2seq":
        words.eos_token = words.sep_token
    words.add_special_tokens({"additional_special_tokens": _PLACEHOLDERS})
    return words


def _vocabulary(words: Any) -> Vocabulary:
    """Marks that the tokenizer lacks are None; marks of images and sounds are tokens that no text has."""
    ends = [words.eos_token_id] if words.cls_token_id is None else [words.cls_token_id, words.sep_token_id]
    special = {
        "pad_token_id": words.pad_token_id,
        "bos_token_id": ends[0],
        "eos_token_id": ends[-1],
        "decoder_start_token_id": ends[0],
        "mask_token_id": words.mask_token_id,
        "sep_token_id": ends[-1],
        "cls_token_id": ends[0],
        "unk_token_id": words.unk_token_id,
        "forced_bos_token_id": None,
        "forced_eos_token_id": None,
        "suppress_tokens": None,
        "begin_suppress_tokens": None,
    }
    return Vocabulary(len(words), special, words.convert_tokens_to_ids(_PLACEHOLDERS))


def _merged(settings: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in more.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def make_config(architecture: Architecture, words: Any) -> Any:
    """The configuration of a tiny model."""
    kind = CONFIG_MAPPING[architecture.model_type]
    default = kind().to_dict()
    told = changes(default, _vocabulary(words))
    if architecture.kind == "causal":
        told |= {name: True for name in ("is_decoder", "causal") if name in default}
        # The decoder half of an encoder–decoder makes its cache for as many layers as the other half has: not too few.
        told |= {name: 4 for name in ("encoder_layers", "num_encoder_layers") if name in default}
    config = kind(**_merged(told, SETTINGS.get(architecture.model_type, {})))
    if architecture.kind == "seq2seq" and getattr(config, "decoder_start_token_id", None) is None:
        # T5's settings have no such name until a model says it; T5Gemma would take padding there for hidden.
        padded = hasattr(config, "relative_attention_num_buckets")
        begin = _vocabulary(words).special["decoder_start_token_id"]
        config.decoder_start_token_id = words.pad_token_id if padded else begin
    return config


@torch.no_grad()
def _randomise(model: Any, spread: float) -> None:
    """Random models attend almost evenly; larger weights give real patterns."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.normal_(0, spread)
        elif parameter.numel() == 4:  # one number a head, as sinks are
            parameter.normal_(0, 1)
        elif parameter.numel() in (
            8,
            16,
        ):  # one number a head's dimension: norms of queries and keys, which sharpen a lot
            parameter.mul_(0.5)


@torch.no_grad()
def _stays_finite(model: Any, inputs: dict[str, torch.Tensor]) -> bool:
    return bool(model.eval()(**inputs)[0].isfinite().all())


def _sample(architecture: Architecture, model: Any, folder: Path) -> dict[str, torch.Tensor]:
    """Inputs to try the model with."""
    ids = torch.arange(20, 40)[None]
    if architecture.kind == "seq2seq":
        return {"input_ids": ids, "decoder_input_ids": ids[:, :8]}
    if architecture.kind != "image" or model.main_input_name == "input_ids":
        return {"input_ids": ids}
    inputs = dict(AutoImageProcessor.from_pretrained(folder)(random_image(), return_tensors="pt"))
    return {model.main_input_name: inputs.pop("pixel_values"), **inputs}


def random_image() -> Image.Image:
    """Noise, the same every time."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8))


def build(architecture: Architecture, folder: Path) -> Path:
    """Saves a tiny random model of that architecture with its tokenizer or image processor, the same every time.

    Raises:
        CannotBuild: With the reason.
    """
    words = make_tokenizer(architecture.kind)
    folder.mkdir(parents=True)
    if architecture.kind == "image":
        _save_image_processor(architecture.model_type, folder)
    else:
        words.save_pretrained(folder)
    try:
        _make_model(architecture, words, folder).save_pretrained(folder)
    except CannotBuild:
        raise
    except Exception as error:
        raise CannotBuild(_reason(error)) from error
    return folder


def _make_model(architecture: Architecture, words: Any, folder: Path) -> Any:
    config = make_config(architecture, words)
    kind = getattr(transformers, architecture.class_name)
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in kind(config).parameters())
    if size > MAX_PARAMETERS:
        raise CannotBuild(f"{size / 1e6:,.0f} million parameters are left")
    torch.manual_seed(0)
    model = kind(config).float()
    unscaled = hasattr(config, "relative_attention_num_buckets")  # T5: its scores are as large as they come
    for spread in _SPREADS[unscaled:]:
        _randomise(model, spread)
        if _stays_finite(model, _sample(architecture, model, folder)):
            return model
    raise CannotBuild("random weights give numbers that are not finite")


def _reason(error: Exception) -> str:
    """One line that says what stood in the way."""
    if needed := re.search(r"requires the (\w+) library", str(error)):
        return f"it needs the library {needed[1]}"
    lines = str(error.__cause__ or error).strip().splitlines()
    return f"{type(error.__cause__ or error).__name__}: {lines[0] if lines else ''}"


def _save_image_processor(model_type: str, folder: Path) -> None:
    """Images are cut to the model's size, and colours brought to −1 … 1."""
    settings = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        **IMAGE_PROCESSORS.get(model_type, {}),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=2))
