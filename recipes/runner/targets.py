"""The layers that an adapter is put beside, held against those that the model has.

PEFT stops only where none of ``lora_target_modules`` is there: of ``[q_proj, gate_porj]`` it trains the first and says nothing,
and of ``lora_modules_to_save`` it passes over every name that it does not find.
"""

from collections.abc import Collection, Iterator
from typing import Any

from converters.errors import InputError
from converters.registry import nearest
from recipes.runner.recipe import Recipe, where

KEYS = ("lora_target_modules", "lora_modules_to_save")


def require(recipe: Recipe, config: Any) -> None:
    """Raise an ``InputError`` for the first name that no layer of the base model bears; ``config`` is Axolotl's own."""
    if not config.adapter or not any(recipe.keys.get(key) for key in KEYS):
        return
    for fault in faults(recipe, layers(str(config.base_model), bool(config.trust_remote_code))):
        raise InputError(fault)


def layers(base: str, trust: bool = False) -> set[str]:
    """Return the dotted names of a model's layers, from its configuration alone; none for one that PEFT renames layers of.

    There are none, either, for a base whose configuration is not here or is no causal language model's.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        settings = AutoConfig.from_pretrained(base, trust_remote_code=trust)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(settings, trust_remote_code=trust)
    except (OSError, ValueError):
        return set()
    if any(weights.dim() == 3 for weights in model.parameters()):  # experts in one tensor, which PEFT knows as several
        return set()
    return {name for name, _ in model.named_modules() if name}


def faults(recipe: Recipe, names: Collection[str]) -> Iterator[str]:
    """Yield a sentence for every name of a list that is none of the layers' nor the end of one; a text is PEFT's to match."""
    last = sorted({name.rpartition(".")[2] for name in names} - {str(number) for number in range(1000)})
    for key in KEYS if names else ():
        listed = recipe.keys.get(key)
        for named in listed if isinstance(listed, list) else ():
            if not any(f".{name}".endswith(f".{named}") for name in names):
                at = where(recipe, (key,))
                yield f"{at}: found {named!r} in {key}, and no such layer in the base model{nearest(str(named), last)}"
