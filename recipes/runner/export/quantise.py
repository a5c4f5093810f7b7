"""Quantises a checkpoint with llm-compressor, calibrated on rows of the training mixture. It runs in the environment for exports.

fp8: weights and activations in 8-bit floats, activations scaled at run time, so nothing is calibrated. int8: SmoothQuant
(arXiv:2211.10438), then GPTQ (arXiv:2210.17323) to 8-bit weights and activations. awq: 4-bit weights with scales that spare what
the activations use most (arXiv:2306.00978). The output layer stays as it is in all of them.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters.schema import Row
from recipes.runner.records.layout import TOKENIZER

SAMPLES, LONGEST = 256, 2048  # rows, and tokens of one


def quantise(checkpoint: Path, form: str, rows: Sequence[Row], out: Path) -> None:
    """Write ``checkpoint`` in the format ``form`` to ``out``, tokenizer and template included."""
    import torch
    from llmcompressor import oneshot
    from llmcompressor.pipelines.cache import IntermediatesCache
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not torch.cuda.is_available():  # it pins memory even without a GPU
        IntermediatesCache.pin_memory = lambda self, *_: None
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    dtype = "auto" if torch.cuda.is_available() else torch.float32
    network = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype, device_map="auto")
    some = sample(rows, SAMPLES)
    calibration = {} if form == "fp8" else {"dataset": encoded(tokenizer, some), "num_calibration_samples": len(some)}
    oneshot(model=network, tokenizer=tokenizer, recipe=modifiers(form), max_seq_length=LONGEST, **calibration)
    network.save_pretrained(out, save_compressed=True)
    tokenizer.save_pretrained(out)


def unpack(file: Path, tokenizer: Path, out: Path) -> None:
    """Write the weights of a GGUF file as an ordinary checkpoint, with the tokenizer and template of the folder ``tokenizer``.

    So the rounded weights are evaluated by the same program as every other checkpoint. The configuration is that folder's, too:
    transformers does not read all of it out of a GGUF file, such as how Llama 3.1 scales its positions.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tokenizer), dtype=torch.float32)
    network.load_state_dict(read.state_dict(), assign=True)
    network.save_pretrained(out)
    for path in (path for pattern in TOKENIZER for path in tokenizer.glob(pattern)):
        shutil.copy2(path, out / path.name)


def modifiers(form: str) -> list[Any]:
    """Return llm-compressor's steps of a format."""
    from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier
    from llmcompressor.modifiers.transform.smoothquant import SmoothQuantModifier

    layers: dict[str, Any] = {"targets": "Linear", "ignore": ["lm_head"]}
    if form == "fp8":
        return [QuantizationModifier(scheme="FP8_DYNAMIC", **layers)]
    if form == "int8":
        return [SmoothQuantModifier(smoothing_strength=0.8), GPTQModifier(scheme="W8A8", **layers)]
    return [AWQModifier(), QuantizationModifier(scheme="W4A16_ASYM", **layers)]


def sample(rows: Sequence[Row], size: int) -> list[Row]:
    """Return ``size`` rows, the same ones whatever their order in the file; every task has its share by chance."""
    return sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).digest())[:size]


def encoded(tokenizer: Any, rows: Sequence[Row]) -> Any:
    """Return the token ids of whole conversations, answers included, as the checkpoint's template writes them."""
    from datasets import Dataset

    turns = [[*row.prompt, {"role": "assistant", "content": row.target}] for row in rows]
    ids = [tokenizer.apply_chat_template(t, tokenize=True, return_dict=False)[:LONGEST] for t in turns]
    return Dataset.from_list([{"input_ids": list(line), "attention_mask": [1] * len(line)} for line in ids])
