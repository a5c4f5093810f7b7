"""Small stand-ins for models that see and hear, in their real wrappers: text, vision and audio parts with random weights.

The tokens are those of Qwen3.5's and Gemma 4's tokenizers as far as they could be seen: for Gemma 4 those of its page on prompts
and of Axolotl's template.
"""

from pathlib import Path
from typing import Any

QWEN35 = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
    "<|audio_start|>", "<|audio_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>", "<tts_text_bos_single>", "<|audio_pad|>",
]  # fmt: skip
GEMMA4 = [
    "<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]", *(f"<unused{n}>" for n in range(4)), "<|tool>", "<tool|>",
    "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>', "<|think|>", "<|channel>", "<channel|>",
    "<|turn>", "<turn|>", "<|image>", "<image|>", "<|audio>", "<audio|>", "<|image|>", "<|audio|>", "<|video|>",
]  # fmt: skip
TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
}


def stand_in(folder: Path, family: str, tokenizer: Any) -> None:
    """Save a stand-in for ``qwen35`` or ``gemma4`` as the hub has them, with its tokenizer."""
    import torch

    from eval.inference.backends.base import auto_class

    config = KINDS[family](tokenizer)
    torch.manual_seed(0)
    network = auto_class(config).from_config(config)
    for name, tensor in network.state_dict().items():
        if name.endswith(
            ("A_log", "dt_bias", "layer_scalar", "norm.weight", "embedding_table")
        ):  # which otherwise begin as ones or zeros
            tensor.add_(torch.randn_like(tensor), alpha=0.1)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if family == "qwen35":
        _predicts_several(folder)


def _predicts_several(folder: Path) -> None:
    """Add the weights for multi-token prediction that Qwen3.5's checkpoints have and transformers leaves out."""
    import torch
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    more = {"mtp.fc.weight": torch.randn(64, 128), "mtp.norm.weight": torch.randn(64)}
    save_file(load_file(path) | more, path, {"format": "pt"})


def qwen35(tokenizer: Any) -> Any:
    """Return a configuration of Qwen3.5: three layers of linear attention to one of full, and a vision tower."""
    from transformers import Qwen3_5Config

    rope = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25}
    text = TEXT | {
        "vocab_size": len(tokenizer),
        "num_hidden_layers": 4,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 16,
        "linear_value_head_dim": 16,
        "rope_parameters": rope | {"mrope_section": [1, 1, 0], "mrope_interleaved": True},
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {"depth": 1, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 64}
    places = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
    }
    places["vision_end_token_id"] = "<|vision_end|>"
    ids = {key: tokenizer.convert_tokens_to_ids(token) for key, token in places.items()}
    return Qwen3_5Config(text_config=text, vision_config=vision | {"num_position_embeddings": 16}, **ids)


def gemma4(tokenizer: Any) -> Any:
    """Return a configuration of Gemma 4's E models: per-layer embeddings, shared keys and values, vision and audio towers."""
    from transformers import Gemma4Config

    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    kinds = ["sliding_attention", "sliding_attention", "full_attention"]
    text = TEXT | {
        "vocab_size": len(tokenizer),
        "vocab_size_per_layer_input": len(tokenizer),
        "num_hidden_layers": 6,
        "global_head_dim": 32,
        "hidden_size_per_layer_input": 64,
        "num_kv_shared_layers": 3,
        "sliding_window": 64,
        "layer_types": kinds * 2,
        "final_logit_softcapping": 30.0,
        **ids,
    }
    # Widths are multiples of 64: bitsandbytes' kernels for CPUs misread the 4-bit weights of any other (0.50.2).
    tower = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = tower | {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 32, "position_embedding_size": 16}
    places = {"boi": "<|image>", "eoi": "<image|>", "image": "<|image|>", "video": "<|video|>", "boa": "<|audio>"}
    places["audio"] = "<|audio|>"
    where = {f"{key}_token_id": tokenizer.convert_tokens_to_ids(token) for key, token in places.items()}
    where["eoa_token_index"] = tokenizer.convert_tokens_to_ids("<audio|>")
    audio = tower | {"output_proj_dims": 64, "subsampling_conv_channels": [8, 4]}
    return Gemma4Config(text_config=text, vision_config=vision, audio_config=audio, **where, **ids)


KINDS = {"qwen35": qwen35, "gemma4": gemma4}
