"""The configurations of base models that are no plain dense decoders, as they are published: an estimate needs no download.

None of their ``config.json`` could be seen from here. Qwen3.5-9B: the defaults of transformers' ``Qwen3_5TextConfig``. 4B: width,
depth and heads as apxml.com/models/qwen35-4b and a GGUF file in pull request 3821 of huggingface/candle have them; its vision
tower is taken to be that of Qwen3-VL-4B, with which the whole counts the published 4.5B. Gemma 4 E4B: NVIDIA's Megatron-Bridge,
the test of its gemma4_e4b recipe; its towers are the defaults of transformers, which count the published 150M and 300M.
"""

from typing import Any

_QWEN35 = {
    "model_type": "qwen3_5_text",
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "full_attention_interval": 4,
    "vocab_size": 248320,
}
_EYE = {
    "patch_size": 16,
    "temporal_patch_size": 2,
    "spatial_merge_size": 2,
    "num_position_embeddings": 2304,
    "num_heads": 16,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen3.5-9B": {
        "model_type": "qwen3_5",
        "text_config": _QWEN35 | {"hidden_size": 4096, "intermediate_size": 12288},
        "vision_config": _EYE | {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "out_hidden_size": 4096},
    },
    "Qwen/Qwen3.5-4B": {
        "model_type": "qwen3_5",
        "tie_word_embeddings": True,
        "text_config": _QWEN35 | {"hidden_size": 2560, "intermediate_size": 9216, "tie_word_embeddings": True},
        "vision_config": _EYE | {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "out_hidden_size": 2560},
    },
    "google/gemma-4-E4B-it": {
        "model_type": "gemma4",
        "text_config": {
            "model_type": "gemma4_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 42,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "head_dim": 256,
            "global_head_dim": 512,
            "num_kv_shared_layers": 18,
            "hidden_size_per_layer_input": 256,
            "vocab_size": 262144,
            "vocab_size_per_layer_input": 262144,
            "tie_word_embeddings": True,
            "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 7,
        },
        "vision_config": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 16,
            "patch_size": 16,
            "num_attention_heads": 12,
            "head_dim": 64,
            "position_embedding_size": 10240,
        },
        "audio_config": {"hidden_size": 1024, "num_hidden_layers": 12, "output_proj_dims": 1536},
    },
}
