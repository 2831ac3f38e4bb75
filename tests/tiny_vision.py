"""Tiny vision transformers, and models of images that are not such."""

from typing import Any

import numpy as np
import transformers
from PIL import Image
from tiny_makers import Maker, of_class

_PATCHES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
_TEXT_PART = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48},
    **{"vocab_size": 99, "bos_token_id": 0, "eos_token_id": 1, "projection_size": 32},
}
_SMALL_GREY = {**_PATCHES, "image_size": 8, "patch_size": 2, "num_channels": 1, "num_labels": 10}

IMAGE_ARCHITECTURES: dict[str, Maker] = {
    "vit for classes": of_class("ViTForImageClassification", "ViTConfig", **_PATCHES, num_labels=3),
    "vit": of_class("ViTModel", "ViTConfig", **_PATCHES),
    "vit for digits (grey)": of_class("ViTForImageClassification", "ViTConfig", **_SMALL_GREY),
    "deit for classes": of_class("DeiTForImageClassification", "DeiTConfig", **_PATCHES, num_labels=3),
    "deit with teacher": of_class("DeiTForImageClassificationWithTeacher", "DeiTConfig", **_PATCHES, num_labels=3),
    "dinov2": of_class("Dinov2Model", "Dinov2Config", **_PATCHES),
    "dinov2 for classes": of_class("Dinov2ForImageClassification", "Dinov2Config", **_PATCHES, num_labels=3),
    "dinov2 with registers": of_class("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", **_PATCHES),
    "dinov3 (rotary)": of_class("DINOv3ViTModel", "DINOv3ViTConfig", **_PATCHES, num_register_tokens=2),
    "clip (vision)": of_class("CLIPVisionModel", "CLIPVisionConfig", **_PATCHES),
    "clip (both)": of_class("CLIPModel", "CLIPConfig", vision_config=_PATCHES, text_config=_TEXT_PART),
    "siglip (vision)": of_class("SiglipVisionModel", "SiglipVisionConfig", **_PATCHES),
    "siglip (both)": of_class("SiglipModel", "SiglipConfig", vision_config=_PATCHES, text_config=_TEXT_PART),
    "beit for classes": of_class("BeitForImageClassification", "BeitConfig", **_PATCHES, num_labels=3),
    "beit (relative positions)": of_class(
        "BeitForImageClassification", "BeitConfig", **_PATCHES, num_labels=3, use_relative_position_bias=True
    ),
    "ijepa for classes": of_class("IJepaForImageClassification", "IJepaConfig", **_PATCHES, num_labels=3),
    "vit_msn for classes": of_class("ViTMSNForImageClassification", "ViTMSNConfig", **_PATCHES, num_labels=3),
    "data2vec (read by eager)": of_class(
        "Data2VecVisionForImageClassification", "Data2VecVisionConfig", **_PATCHES, num_labels=3
    ),
}
"""Vision transformers whose tokens are the patches of one grid."""

MORE_THAN_PATCHES: dict[str, Maker] = {
    "swin (windows)": of_class(
        "SwinForImageClassification",
        "SwinConfig",
        **{"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4},
    ),
    "resnet (convolutions)": of_class(
        "ResNetForImageClassification", "ResNetConfig", hidden_sizes=[8, 8], depths=[1, 1], embedding_size=8
    ),
    "convnext (convolutions)": of_class(
        "ConvNextForImageClassification", "ConvNextConfig", hidden_sizes=[8] * 4, depths=[1] * 4
    ),
    "pvt (a pyramid)": of_class("PvtForImageClassification", "PvtConfig", image_size=32),
    "segformer (a pyramid)": of_class("SegformerForImageClassification", "SegformerConfig"),
    "imagegpt (pixels)": of_class(
        "ImageGPTForImageClassification", "ImageGPTConfig", n_embd=32, n_layer=2, n_head=4, n_positions=1024
    ),
    "vit_mae (random patches)": of_class("ViTMAEModel", "ViTMAEConfig", **_PATCHES),
    "videomae (films)": of_class("VideoMAEModel", "VideoMAEConfig", **_PATCHES),
    "siglip2 (any size)": of_class(
        "Siglip2VisionModel", "Siglip2VisionConfig", **{**_PATCHES, "num_patches": 16, "image_size": None}
    ),
}
"""Models of images that must be refused."""


def image_processor(name: str) -> Any:
    """As the architecture has it: everything scaled to a square, or the middle cut out."""
    if "siglip2" in name:
        return transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    if "grey" in name:
        return transformers.ViTImageProcessorPil(size={"height": 8, "width": 8}, image_mean=[0.4], image_std=[0.3])
    if "clip" in name or "dinov2" in name:
        return transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})


def photo(width: int = 60, height: int = 50, seed: int = 1) -> Image.Image:
    """A random image."""
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
