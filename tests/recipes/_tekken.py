"""A small stand-in for Ministral 3 as the hub has it: text model and vision tower in one, Tekken's vocabulary in both formats."""

import json
from pathlib import Path
from typing import Any

PIECES = 8192  # the first of Tekken's 130,072, which are a tokenizer of their own
CONTROL = [
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
    "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]", *(f"<SPECIAL_{n}>" for n in range(20, 32)), "[ARGS]", "[CALL_ID]", "[THINK]",
    "[/THINK]", "[MODEL_SETTINGS]", "[/MODEL_SETTINGS]",
]  # fmt: skip


def stand_in(folder: Path, small: dict[str, Any]) -> Any:
    """Save the stand-in, a text model of the sizes ``small``; return its tokenizer."""
    import torch
    from transformers import AutoModelForImageTextToText, Ministral3Config, Mistral3Config, PixtralVisionConfig

    tokenizer = tekken(folder)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "head_dim": 16,
    }
    vision = PixtralVisionConfig(**sizes, image_size=56, patch_size=14)
    text = Ministral3Config(vocab_size=len(tokenizer), **small)
    torch.manual_seed(0)
    config = Mistral3Config(text_config=text, vision_config=vision, tie_word_embeddings=small["tie_word_embeddings"])
    AutoModelForImageTextToText.from_config(config).save_pretrained(folder)
    return tokenizer


def tekken(folder: Path) -> Any:
    """Save ``tekken.json`` as in Ministral 3's version of it, and what transformers makes of it; return the latter."""
    import mistral_common
    from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer

    whole = json.loads((Path(mistral_common.__file__).parent / "data" / "tekken_240911.json").read_bytes())
    special = [{"rank": rank, "token_str": token, "is_control": True} for rank, token in enumerate(CONTROL)]
    filled = whole["config"]["default_num_special_tokens"]
    settings = whole["config"] | {"version": "v13", "num_vocab_tokens": PIECES, "default_vocab_size": filled + PIECES}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tekken.json"
    path.write_text(
        json.dumps({"config": settings, "vocab": whole["vocab"][:PIECES], "special_tokens": special}), "utf-8"
    )
    tokenizer = convert_tekken_tokenizer(str(path), chat_template="{{ raise_exception('its own is not known') }}")
    tokenizer.save_pretrained(folder)
    return tokenizer
