"""The layers that are to be trained, held against those that the model has.

PEFT stops only where none of ``lora_target_modules`` is there: of ``[q_proj, gate_porj]`` it trains the first and says nothing,
and of ``lora_modules_to_save`` and ``peft_layers_to_transform`` it passes over all that it does not find, as Axolotl does with
``unfrozen_parameters``.
"""

from collections.abc import Collection, Iterator
from typing import Any

from converters.errors import InputError
from converters.registry import nearest
from recipes.runner.recipe import Recipe, where

KEYS = ("lora_target_modules", "lora_modules_to_save")
DEPTHS, WEIGHTS = "peft_layers_to_transform", "unfrozen_parameters"


def require(recipe: Recipe, config: Any) -> None:
    """Raise an ``InputError`` for the first name that no layer of the base model bears; ``config`` is Axolotl's own."""
    if not any(recipe.keys.get(key) for key in ((*KEYS, DEPTHS) if config.adapter else (WEIGHTS,))):
        return
    model = skeleton(str(config.base_model), bool(config.trust_remote_code))
    if model is not None:
        for fault in (*faults(recipe, {name for name, _ in model.named_modules() if name}), *_weights(recipe, model)):
            raise InputError(fault)


def skeleton(base: str, trust: bool = False) -> Any:
    """Return a model without its weights, from its configuration alone; ``None`` for one that PEFT renames layers of.

    It is ``None``, too, for a base whose configuration is not here or is no causal language model's.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        settings = AutoConfig.from_pretrained(base, trust_remote_code=trust)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(settings, trust_remote_code=trust)
    except (OSError, ValueError):
        return None
    experts = any(weights.dim() == 3 for weights in model.parameters())  # in one tensor, which PEFT knows as several
    return None if experts else model


def faults(recipe: Recipe, names: Collection[str]) -> Iterator[str]:
    """Yield a sentence for every name of a list that is none of the layers' nor the end of one; a text is PEFT's to match."""
    last = sorted({name.rpartition(".")[2] for name in names if not name.rpartition(".")[2].isdigit()})
    for key in KEYS:
        listed = recipe.keys.get(key)
        for named in listed if isinstance(listed, list) else ():
            if not any(f".{name}".endswith(f".{named}") for name in names):
                at = where(recipe, (key,))
                yield f"{at}: found {named!r} in {key}, and no such layer in the base model{nearest(str(named), last)}"
    depth = sum(name.rpartition(".")[2].isdigit() for name in names)
    for number in recipe.keys.get(DEPTHS) or ():
        if not 0 <= number < depth:
            yield f"{where(recipe, (DEPTHS,))}: found {number} in {DEPTHS}, expected 0 to {depth - 1}: the base model's layers"


def _weights(recipe: Recipe, model: Any) -> Iterator[str]:
    from axolotl.utils.freeze import LayerNamePattern

    names = [name for name, _ in model.named_parameters()]
    for pattern in recipe.keys.get(WEIGHTS) or ():
        if not any(map(LayerNamePattern(pattern).match, names)):
            at = where(recipe, (WEIGHTS,))
            yield f"{at}: found {pattern!r} in {WEIGHTS}, which no weights of the base model match, such as {names[-1]}"
