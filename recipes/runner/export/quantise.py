"""Quantises a checkpoint with llm-compressor, calibrated on rows of the training mixture. It runs in the environment for exports.

fp8: weights and activations in 8-bit floats, activations scaled at run time, so nothing is calibrated. int8: SmoothQuant
(arXiv:2211.10438), then GPTQ (arXiv:2210.17323) to 8-bit weights and activations. awq: 4-bit weights with scales that spare what
the activations use most (arXiv:2306.00978). The output layer stays as it is in all of them, and so do the
towers of a model that sees or hears: rows of text calibrate none.
"""

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, first_line
from converters.schema import Row
from eval.inference.backends.base import auto_class
from recipes.runner.bases import from_gguf
from recipes.runner.records.layout import TOKENIZER

SAMPLES, LONGEST = 256, 2048  # rows, and tokens of one
PROCESSOR = "*processor_config.json"  # what a server of a model with towers wants, be it for text alone


def quantise(checkpoint: Path, form: str, rows: Sequence[Row], out: Path) -> None:
    """Write ``checkpoint`` in the format ``form`` to ``out``, tokenizer and template included."""
    import torch
    from llmcompressor import oneshot
    from llmcompressor.pipelines.cache import IntermediatesCache
    from transformers import AutoConfig, AutoTokenizer

    if not torch.cuda.is_available():  # it pins memory even without a GPU
        IntermediatesCache.pin_memory = lambda self, *_: None
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    dtype = "auto" if torch.cuda.is_available() else torch.float32
    auto = auto_class(AutoConfig.from_pretrained(checkpoint))
    network = auto.from_pretrained(checkpoint, dtype=dtype, device_map="auto")
    some = sample(rows, SAMPLES)
    calibration = {} if form == "fp8" else {"dataset": encoded(tokenizer, some), "num_calibration_samples": len(some)}
    steps = modifiers(form, network)
    try:
        oneshot(model=network, tokenizer=tokenizer, recipe=steps, max_seq_length=LONGEST, **calibration)
    except Exception as error:  # a model may have what the steps do not know, such as layers without keys of their own
        kind, cause = type(network).__name__, error.__cause__
        why = first_line(cause if isinstance(cause, Exception) else error)
        raise InputError(f"{checkpoint}: llm-compressor cannot make {form} of {kind}: {why}; try fp8") from error
    network.save_pretrained(out, save_compressed=True)
    tokenizer.save_pretrained(out)
    for path in checkpoint.glob(PROCESSOR):
        shutil.copy2(path, out / path.name)


def unpack(file: Path, tokenizer: Path, out: Path) -> None:
    """Write the weights of a GGUF file as an ordinary checkpoint, with the tokenizer and template of the folder ``tokenizer``.

    So the rounded weights are evaluated by the same program as every other checkpoint. The configuration is that folder's, too:
    transformers does not read all of it out of a GGUF file, such as how Llama 3.1 scales its positions.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    read = from_gguf.dense(file)
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tokenizer), dtype=torch.float32)
    network.load_state_dict(read.state_dict(), assign=True)
    network.save_pretrained(out)
    for path in (path for pattern in TOKENIZER for path in tokenizer.glob(pattern)):
        shutil.copy2(path, out / path.name)


def outside(network: Any) -> list[str]:
    """Return the names of the linear layers outside a network's text decoder: its output layer, and those of its towers."""
    from torch.nn import Linear

    decoder = set(network.get_decoder().modules())
    return [name for name, part in network.named_modules() if isinstance(part, Linear) and part not in decoder]


def modifiers(form: str, network: Any) -> list[Any]:
    """Return llm-compressor's steps of a format for the linear layers of a network's text decoder."""
    from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier
    from llmcompressor.modifiers.transform import awq, smoothquant
    from llmcompressor.modifiers.transform.awq import dynamic_mappings as scaled
    from llmcompressor.modifiers.transform.smoothquant import dynamic_mappings as smoothed

    decoder = next(name for name, part in network.named_modules() if part is network.get_decoder())

    def within(*patterns: str) -> list[str]:  # the layers of a tower may bear the same names
        return [pattern.replace("re:.*", rf"re:{re.escape(decoder)}\..*") for pattern in patterns]

    layers: dict[str, Any] = {"targets": "Linear", "ignore": outside(network)}
    if form == "fp8":
        return [QuantizationModifier(scheme="FP8_DYNAMIC", **layers)]
    if form == "int8":
        norms = [(within(*linear), *within(norm)) for linear, norm in smoothed.get_layer_mappings_from_model(network)]
        smooth = smoothquant.SmoothQuantModifier(smoothing_strength=0.8, mappings=norms)
        return [smooth, GPTQModifier(scheme="W8A8", **layers)]
    pairs = [
        replace(pair, smooth_layer=within(pair.smooth_layer)[0], balance_layers=within(*pair.balance_layers))
        for pair in scaled.get_layer_mappings_from_model(network)
    ]
    return [awq.AWQModifier(mappings=pairs), QuantizationModifier(scheme="W4A16_ASYM", **layers)]


def sample(rows: Sequence[Row], size: int) -> list[Row]:
    """Return ``size`` rows, the same ones whatever their order in the file; every task has its share by chance."""
    return sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).digest())[:size]


def encoded(tokenizer: Any, rows: Sequence[Row]) -> Any:
    """Return the token ids of whole conversations, answers included, as the checkpoint's template writes them."""
    from datasets import Dataset

    turns = [[*row.prompt, {"role": "assistant", "content": row.target}] for row in rows]
    ids = [tokenizer.apply_chat_template(t, tokenize=True, return_dict=False)[:LONGEST] for t in turns]
    return Dataset.from_list([{"input_ids": list(line), "attention_mask": [1] * len(line)} for line in ids])
