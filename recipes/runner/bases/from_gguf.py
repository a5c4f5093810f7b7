"""Reads a GGUF file: its weights, unpacked to fp32, and the tokenizer that its metadata describes.

transformers reads the weights. Its tokenizer is not used: of SmolLM2's file it takes ``<|im_start|>`` for the end token, not
``<|im_end|>``, leaves out the padding token, and joins the spaces before a digit otherwise than the model learnt (5.16.1).
"""

from pathlib import Path
from typing import Any

from converters.core.errors import InputError, first_line

KIND, PIECES = "gpt2", "smollm"  # byte-level BPE; every digit by itself, then GPT-2's pieces
CONTROL = 3  # llama.cpp's type of a token that no text spells
SPECIAL = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}  # transformers' names and GGUF's


def read(file: Path) -> tuple[Any, Any]:
    """Return model and tokenizer of a GGUF file; one that is broken or holds another tokenizer is an ``InputError``."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(file)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{file}: cannot be read as GGUF: {first_line(error)}") from error
    found = {name: field.contents() for name, field in reader.fields.items()}
    words = {name.removeprefix("tokenizer.ggml."): value for name, value in found.items()}
    if (words.get("model"), words.get("pre")) != (KIND, PIECES):
        raise InputError(
            f"{file}: found tokenizer {words.get('model')!r} with pieces {words.get('pre')!r}, expected {KIND!r} with {PIECES!r}"
        )
    tokenizer = vocabulary(words)
    tokenizer.chat_template = found.get("tokenizer.chat_template")
    tokenizer.model_max_length = found[f"{found['general.architecture']}.context_length"]
    return network(file, tokenizer), tokenizer


def vocabulary(words: dict[str, Any]) -> Any:
    """Return the tokenizer of the metadata below ``tokenizer.ggml``: the same pieces, ids and special tokens as in llama.cpp."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = words["tokens"]
    merges = [tuple(pair.split(" ")) for pair in words["merges"]]
    model = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    model.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    model.decoder = decoders.ByteLevel()
    control = (token for token, kind in zip(tokens, words["token_type"], strict=True) if kind == CONTROL)
    model.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    ids = {name: words.get(f"{theirs}_token_id") for name, theirs in SPECIAL.items()}
    names = {f"{name}_token": tokens[number] for name, number in ids.items() if number is not None}
    return PreTrainedTokenizerFast(tokenizer_object=model, add_bos_token=words.get("add_bos_token", False), **names)


def dense(file: Path) -> Any:
    """Return the model of a GGUF file in fp32, which holds 4-bit weights without rounding them again."""
    import torch
    import transformers

    # From 5.20 on transformers leaves the weights packed unless told so; such a model cannot be saved.
    packed = getattr(transformers, "GgufConfig", None)
    how = {"quantization_config": packed(dequantize=True)} if packed else {}
    return transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32, **how
    )


def network(file: Path, tokenizer: Any) -> Any:
    """Return the model of a GGUF file with the tokenizer's special tokens."""
    from transformers import GenerationConfig

    made = dense(file)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    made.config.update(ids)
    made.generation_config = GenerationConfig(**ids)
    return made
