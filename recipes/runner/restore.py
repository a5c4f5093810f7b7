"""Gives merged weights back what training never rounded: embeddings and the output layer.

Axolotl's ``merge-lora`` takes every matrix of a QLoRA's base to NF4 and back. bitsandbytes quantises the linear layers alone and
leaves the output layer as it is (https://huggingface.co/docs/transformers/quantization/bitsandbytes), so without this the merged
model reads and writes through matrices that the adapter never saw. What the adapter itself has trained, whole
(``lora_modules_to_save``) or by a LoRA of its own, is its own in the merged weights and stays.
"""

from pathlib import Path

KEPT = ("embed_tokens.weight", "lm_head.weight")


def restore(merged: Path, base: Path, adapter: Path) -> list[str]:
    """Write the base's own tensors over the rounded ones, a file at a time; return their names."""
    own = [name for path in adapter.glob("*.safetensors") for name in _tensors(path)]
    originals = {name: path for path in base.glob("*.safetensors") for name in _tensors(path) if name.endswith(KEPT)}
    restored = []
    for path in sorted(merged.glob("*.safetensors")):
        names = [
            n for n in _tensors(path) if n in originals and not any(n.removesuffix("weight") in key for key in own)
        ]
        if names:
            _overwrite(path, {name: originals[name] for name in names})
        restored += names
    return restored


def _tensors(path: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return list(file.keys())


def _overwrite(path: Path, originals: dict[str, Path]) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    for name, original in originals.items():
        with safe_open(original, framework="pt") as file:
            tensors[name] = file.get_tensor(name).to(tensors[name].dtype)
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata)
    part.replace(path)
