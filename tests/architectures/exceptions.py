"""What shrinking by name gets wrong: settings by architecture."""

from typing import Any

_MIXED = ["linear_attention", "full_attention", "linear_attention"]
_CONV_STAGES = {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1]}
_WINDOWED_STAGES = {"patch_size": 2, "window_size": 4, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4]}

SETTINGS: dict[str, dict[str, Any]] = {
    "bailing_hybrid": {"num_experts_per_token": 2},
    "bamba": {"attn_layer_indices": [1]},
    "bit": {**_CONV_STAGES, "embedding_size": 8, "num_groups": 4},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}},
    },
    "convnext": {**_CONV_STAGES, "patch_size": 4},
    "convnextv2": {**_CONV_STAGES, "patch_size": 4},
    "dbrx": {
        "attn_config": {"rope_theta": 10000.0, "kv_n_heads": 2, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 48},
    },
    "deepseek_v2": {"num_experts_per_tok": 2},
    "donut-swin": _WINDOWED_STAGES,
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "dots3_note_text": {"per_layer_config": {"02": {"num_attention_heads": 2, "num_key_value_heads": 2}}},
    "efficientnet": {"width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 128},
    "falcon_h1": {"mamba_d_ssm": 64},
    "gemma4": {"text_config": {"global_head_dim": 16}},
    "gemma4_text": {"global_head_dim": 16},
    "gemma4_unified": {"text_config": {"global_head_dim": 16}},
    "gemma4_unified_text": {"global_head_dim": 16},
    "gpt_neo": {
        "attention_types": [[["global", "local"], 1]],
        "attention_layers": ["global", "local"],
        "num_layers": 2,
    },
    "granitemoehybrid": {"layer_types": _MIXED},
    "hrm_text": {"H_cycles": 1, "L_cycles": 2},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8, "moe_topk": 2, "num_experts": 4},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "num_hidden_layers": 4},
    "kimi_linear": {"num_experts_per_token": 2},
    "levit": {"patch_size": 16, "hidden_sizes": [16, 32, 48], "key_dim": [8, 8, 8]},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv"], "full_attn_idxs": [1], "num_hidden_layers": 3},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv"], "num_dense_layers": 1},
    "mamba2": {"num_heads": 8},
    "ministral": {"head_dim": 8},
    "mobilevitv2": {"patch_size": 1},
    "mobilebert": {"intra_bottleneck_size": 32},
    "nemotron": {"num_key_value_heads": 2},
    "neomme": {"head_dim": 16},
    "prophetnet": {"num_encoder_layers": 4},  # its cache is made for as many
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 8,
        "indexer_compress_ratio": 2,
        "output_gate_type": None,
        "hc_lowrank": 8,
    },
    "reformer": {"axial_pos_shape": [8, 16], "axial_pos_embds_dim": [8, 24]},
    "resnet": {**_CONV_STAGES, "embedding_size": 8},
    "swin": _WINDOWED_STAGES,
    "swinv2": _WINDOWED_STAGES,
    "xlstm": {"chunk_size": 64, "hidden_size": 128, "embedding_dim": 128},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "n_mamba_heads": 2,
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "num_hidden_layers": 4,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
    },
    "zamba2": {
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "hybrid_layer_ids": [1, 3],
        "num_hidden_layers": 4,
    },
    "zaya": {"num_experts_per_tok": 1},
}
"""Told to the configuration's class after all else; a dictionary is merged into that part of the configuration."""

_NAFLEX = {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8, "max_num_patches": 16}
IMAGE_PROCESSORS: dict[str, dict[str, Any]] = {"siglip2": _NAFLEX, "siglip2_vision_model": _NAFLEX}
"""Settings of image processors that are not like ViT's."""
