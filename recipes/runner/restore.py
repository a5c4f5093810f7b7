"""Gives merged weights back what training never rounded: embeddings and the output layer.

Axolotl's ``merge-lora`` takes every matrix of a QLoRA's base to NF4 and back. bitsandbytes quantises the linear layers alone and
leaves the output layer as it is (https://huggingface.co/docs/transformers/quantization/bitsandbytes), so without this the merged
model reads and writes through matrices that the adapter never saw. What the adapter itself has trained, whole
(``lora_modules_to_save``) or by a LoRA of its own, is its own in the merged weights and stays.
"""

from pathlib import Path
from typing import Any

KEPT = ("embed_tokens.weight", "lm_head.weight")


def restore(made: Path, base: Path, adapter: Path) -> list[str]:
    """Write the base's own tensors over the rounded ones, a file at a time; return their names."""
    from safetensors import safe_open

    own = {name for path in adapter.glob("*.safetensors") for name in _names(path)}
    where = {name: path for path in sorted(base.glob("*.safetensors")) for name in _names(path) if name.endswith(KEPT)}
    written = []
    for path in sorted(made.glob("*.safetensors")):
        names = [n for n in _names(path) if n in where and not any(n.removesuffix("weight") in key for key in own)]
        found = {}
        for name in names:
            with safe_open(where[name], framework="pt") as file:
                found[name] = file.get_tensor(name)
        if found:
            _replace(path, found)
        written += names
    return written


def _names(path: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return list(file.keys())


def _replace(path: Path, tensors: dict[str, Any]) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    held = load_file(path)
    fresh = {name: tensor.to(held[name].dtype) for name, tensor in tensors.items()}
    beside = path.with_name(path.name + ".part")
    save_file(held | fresh, beside, metadata)
    beside.replace(path)
