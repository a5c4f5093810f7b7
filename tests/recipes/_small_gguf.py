"""Small Llamas as 8-bit GGUF files. Run by the environment for exports: one is unpacked, and how far its logits went is printed.

The file's names and its order of a head's rows are those of llama.cpp's converter (convert_hf_to_gguf.py, LlamaModel).
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from recipes.runner.export.quantise import unpack

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def small(folder: Path) -> LlamaForCausalLM:
    """Return a random model whose positions are scaled, saved."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        rope_parameters=ROPE,
        max_position_embeddings=512,
    )
    network = LlamaForCausalLM(config).eval()
    network.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return network


def write(network: LlamaForCausalLM, file: Path, words: dict[str, Any] | None = None) -> None:
    """Write a model's weights as 8-bit GGUF; ``words`` are what the writer's methods ``add_...`` say of the tokenizer."""
    from gguf import GGMLQuantizationType, GGUFWriter, quants  # pytest reads this file where it is not installed

    config, out = network.config, GGUFWriter(file, "llama")
    out.add_block_count(config.num_hidden_layers)
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(ROPE["rope_theta"])
    out.add_vocab_size(config.vocab_size)
    for name, value in (words or {}).items():
        getattr(out, f"add_{name}")(value)
    for name, weights in network.state_dict().items():
        place = name.removesuffix(".weight")
        if place == "lm_head" and config.tie_word_embeddings:
            continue
        block, inner = place.split(".")[2:3], place.split(".", 3)[-1]
        called = f"blk.{block[0]}.{NAMES[inner]}" if "layers" in place else NAMES[place]
        found = weights.numpy()
        heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(called.split(".")[-1])
        if heads:
            found = found.reshape(heads, 2, -1, found.shape[-1]).swapaxes(1, 2).reshape(found.shape)
        kind = GGMLQuantizationType.Q8_0 if found.ndim > 1 else GGMLQuantizationType.F32
        out.add_tensor(f"{called}.weight", quants.quantize(np.ascontiguousarray(found), kind), raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main(folder: Path) -> None:
    """Print how far the unpacked model's logits are from the first one's, as a share of them, and its settings."""
    network = small(folder / "merged")
    write(network, folder / "small.gguf")
    unpack(folder / "small.gguf", folder / "merged", folder / "unpacked")
    other = AutoModelForCausalLM.from_pretrained(folder / "unpacked").eval()
    ids = torch.randint(96, (2, 300), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        first, second = network(ids).logits, other(ids).logits
    apart = float((first - second).norm() / first.norm())
    sys.stdout.write(json.dumps({"apart": apart, "scaled": other.config.rope_parameters["rope_type"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
