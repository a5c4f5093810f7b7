"""Puts the base's own tensors back where a merge in four bits rounded what training had left at full precision.

Axolotl 0.19 takes every tensor of two dimensions or more through NF4 and back: linear layers, which bitsandbytes had quantised in
training, but also embeddings, convolutions, position tables and weights that transformers does not load. What bitsandbytes
quantises is asked of transformers itself, on a model without weights; what was trained is what the adapter names.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from recipes.runner.preflight.base_model import skeleton
from recipes.runner.training import merge_gate

# What follows a layer's name in an adapter.
_PART = re.compile(r"\.(?:lora_|modules_to_save\.|token_adapter\.|(?:weight|bias)$)")


def restore(merged: Path, base: Path, adapter: Path, keys: Mapping[str, Any]) -> list[str]:
    """Write the base's tensors over those that differ, were not quantised and not trained, a file at a time; return their names.

    ``keys`` are those of the recipe. Names of base and merged checkpoint may differ as transformers renames them on loading.
    """
    runtime, quantised = layout(base, keys)
    trained = tuple(f"{layer}." for path in adapter.glob("*.safetensors") for layer in map(layer_of, tensors(path)))
    originals = {runtime(name): (path, name) for path in base.glob("*.safetensors") for name in tensors(path)}
    restored: list[str] = []
    for path in sorted(merged.glob("*.safetensors")):
        names = {name: runtime(name) for name in tensors(path)}
        own = {
            name: originals[ours]
            for name, ours in names.items()
            if ours in originals and not (quantised(ours) or ours.startswith(trained) or name.startswith(trained))
        }
        if chosen := {name: original for name, original in own.items() if _rounded(path, name, *original)}:
            _overwrite(path, chosen)
            restored += chosen
    return restored


def layout(base: Path, keys: Mapping[str, Any]) -> tuple[Callable[[str], str], Callable[[str], bool]]:
    """Return what names a checkpoint's tensor as the loaded model does, and what tells whether that one was quantised."""
    from bitsandbytes.nn import Linear4bit
    from transformers.initialization import no_tie_weights
    from transformers.quantizers.auto import AutoHfQuantizer

    with (
        no_tie_weights()
    ):  # as on loading: what is left out is decided before an output layer is tied to its embeddings
        model = skeleton(str(base), bool(keys.get("trust_remote_code")))
    if model is None:
        raise InputError(
            f"{base}: found no configuration of a model that transformers knows, expected the base's config.json"
        )
    runtime = renaming(model)
    AutoHfQuantizer.from_config(merge_gate.quantisation(keys)).preprocess_model(model=model, device_map=None)
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    experts = bool(keys.get("quantize_moe_experts"))  # by Axolotl, where they are one tensor and no linear layer
    return runtime, lambda name: name in linear or (experts and "expert" in name)


def renaming(model: Any, converted: bool = True) -> Callable[[str], str]:
    """Return what names a checkpoint's tensor as the loaded model does, by transformers' own rules.

    ``converted``: after the tensor that it becomes a part of, such as that of all experts; otherwise it keeps a name of its own.
    """
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

    rules, known, prefix = get_model_conversion_mapping(model), model.state_dict(), model.base_model_prefix
    renamings = [rule for rule in rules if isinstance(rule, WeightRenaming)]
    converters = [rule for rule in rules if converted and isinstance(rule, WeightConverter)]
    return lambda name: str(rename_source_key(name, renamings, converters, prefix, known)[0])


def layer_of(name: str) -> str:
    """Return the layer that a tensor of an adapter belongs to.

    >>> layer_of("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"), layer_of("base_model.model.lm_head.weight")
    ('model.layers.0.mlp.up_proj', 'lm_head')
    """
    return _PART.split(name.removeprefix("base_model.model.").replace(".base_layer", ""))[0]


def tensors(path: Path) -> list[str]:
    """Return the names of a safetensors file's tensors."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return list(file.keys())


def _rounded(path: Path, name: str, original: Path, its_name: str) -> bool:
    """Tell whether two tensors of one shape differ; another shape is that of an enlarged vocabulary."""
    ours, own = _tensor(path, name), _tensor(original, its_name)
    return bool(ours.shape == own.shape and not ours.equal(own.to(ours.dtype)))


def _tensor(path: Path, name: str) -> Any:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.get_tensor(name)


def _overwrite(path: Path, originals: Mapping[str, tuple[Path, str]]) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    own = load_file(path)
    for name, original in originals.items():
        own[name] = _tensor(*original).to(own[name].dtype)
    part = path.with_name(path.name + ".part")
    save_file(own, part, metadata)
    part.replace(path)
