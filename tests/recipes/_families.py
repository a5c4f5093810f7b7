"""Small stand-ins for the models that the recipes are for: their architecture and control tokens, random weights."""

from pathlib import Path
from typing import Any

from tests.recipes import _tekken, _towers
from tests.recipes.conftest import mistral_tokenizer

LLAMA = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
    "<|eot_id|>", "<|python_tag|>", *(f"<|reserved_special_token_{n}|>" for n in range(248)),
]  # fmt: skip
QWEN = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
QWEN_WORDS = [  # one token each, and no special one: a decoder leaves them in the text
    "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
]  # fmt: skip
SMOLLM3 = [  # Llama 3's, some of them renamed
    *LLAMA[:8], "<|im_start|>", "<|im_end|>", *(f"<|reserved_special_token_{n}|>" for n in range(246)),
]  # fmt: skip
SMOLLM3_WORDS = [
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<code>", "</code>",
]  # fmt: skip
TEXTS = [
    "Norvik mug 12 red",
    "Home > Mugs",
    "It holds 300 ml.",
    '{"Brand": "Norvik"}',
    "The snippets do not say.",
    "1.5 L",
]
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
RECIPES = {
    "mistral": "mistral-qlora",
    "llama": "llama-qlora",
    "qwen": "qwen-qlora",
    "ministral": "ministral-qlora",
    "smollm3": "smollm3-qlora",
    "qwen35": "qwen35-qlora",
    "gemma4": "gemma4-qlora",
}
SPECIAL = {"llama": LLAMA, "qwen": QWEN, "smollm3": SMOLLM3, "qwen35": _towers.QWEN35, "gemma4": _towers.GEMMA4}
WORDS = {"qwen": QWEN_WORDS, "qwen35": QWEN_WORDS, "smollm3": SMOLLM3_WORDS}
NAMES = {
    "llama": {"bos_token": LLAMA[0], "eos_token": "<|eot_id|>"},
    "qwen": {"eos_token": "<|im_end|>", "pad_token": QWEN[0]},
    "smollm3": {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>"},
    "qwen35": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "gemma4": {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"},
}
TEMPLATES = {"llama": "llama3", "qwen": "qwen3", "smollm3": "chatml", "qwen35": "qwen3_5", "gemma4": "gemma4"}
# What a CPU has not for a family: kernels that keep packed rows of linear attention apart.
ON_CPU = {"qwen35": ("sample_packing=false",)}


def stand_in(folder: Path, family: str) -> Any:
    """Save a stand-in for a family of ``RECIPES`` with random weights; return its tokenizer."""
    if family == "ministral":
        return _tekken.stand_in(folder, SMALL)
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen3Config, SmolLM3Config

    tokenizer = mistral_tokenizer(folder) if family == "mistral" else words(family)
    if family in _towers.KINDS:
        _towers.stand_in(folder, family, tokenizer)
        return tokenizer
    kinds = {"mistral": MistralConfig, "llama": LlamaConfig, "qwen": Qwen3Config, "smollm3": SmolLM3Config}
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    torch.manual_seed(0)
    # Every fourth layer of SmolLM3 is without positions, and its embeddings are one.
    own = {"num_hidden_layers": 4, "tie_word_embeddings": True} if family == "smollm3" else {}
    config = kinds[family](vocab_size=len(tokenizer), **SMALL | own, **ids)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    if family != "mistral":
        tokenizer.save_pretrained(folder)
    return tokenizer


def words(family: str) -> Any:
    """Return a byte-level BPE tokenizer with a family's control tokens and a chat template from Axolotl."""
    from axolotl.utils.chat_templates import get_chat_template
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    model = Tokenizer(models.BPE())
    digits = 3 if family in ("llama", "smollm3") else 1
    pieces = Regex(rf"\p{{N}}{{1,{digits}}}| ?\p{{L}}+| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s+")
    split = pre_tokenizers.Split(pieces, "isolated")
    model.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    model.decoder = decoders.ByteLevel()
    options = {"vocab_size": 800, "initial_alphabet": pre_tokenizers.ByteLevel.alphabet(), "show_progress": False}
    model.train_from_iterator(TEXTS, trainers.BpeTrainer(special_tokens=SPECIAL[family], **options))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, **NAMES[family])
    tokenizer.add_tokens([AddedToken(word, special=False, normalized=False) for word in WORDS.get(family, ())])
    tokenizer.chat_template = get_chat_template(TEMPLATES[family])
    return tokenizer
