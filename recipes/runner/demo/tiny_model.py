"""The demo's base model: Mistral's architecture with 0.5M random weights and a byte-level BPE of the training split.

It knows nothing: whatever the tuned model can do, it learnt here. Output weights start as a copy of the input embeddings, so that
copying a word from the prompt is one linear step away; they are trained separately (untied).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from converters.examples import read_rows
from recipes.runner.records.layout import replacing

SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
TURNS = ["[INST]", "[/INST]"]
VOCABULARY = 700  # few pieces, each seen often: copying an unseen brand is learnt on all of them at once
# No space after [/INST]: the answer would begin with a bare-space token, which training masks and evaluation needs.
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ '[INST]' + message['content'] + '[/INST]' }}{% endif %}{% endfor %}"
)
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
    "rope_theta": 500.0,  # short rows: the usual 10,000 would leave most dimensions unturned
    "initializer_range": 0.08,
    "sliding_window": None,
    "tie_word_embeddings": False,
}


def build(data: Path, out: Path, seed: int) -> None:
    """Write the base as an ordinary checkpoint: weights, tokenizer and chat template; the same seed gives the same bytes."""
    rows = read_rows(data / "train.jsonl")
    tokenizer = vocabulary(turn.content for row in rows for turn in row.messages)
    with replacing(out) as folder:
        network(tokenizer, seed).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def vocabulary(texts: Iterable[str]) -> Any:
    """Return a tokenizer trained on ``texts``; every digit is a token of its own."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    model = Tokenizer(models.BPE())
    digits = pre_tokenizers.Split(Regex(r"\d"), "isolated")
    model.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    model.decoder = decoders.ByteLevel()
    special, alphabet = [*SPECIAL.values(), *TURNS], pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(  # type: ignore[no-untyped-call]
        vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, additional_special_tokens=TURNS, **SPECIAL)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def network(tokenizer: Any, seed: int) -> Any:
    """Return the model with random fp32 weights."""
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    torch.manual_seed(seed)
    model = MistralForCausalLM(MistralConfig(vocab_size=len(tokenizer), **SHAPE, **ids))
    with torch.no_grad():
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)
    return model
