"""DeepSpeed's JSON of a recipe. DeepSpeed passes over a misspelt key in silence, and then shares nothing among the GPUs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.registry import nearest
from recipes.runner.recipe import Recipe, where

KEYS = (
    "zero_optimization",
    "bf16",
    "fp16",
    "gradient_clipping",
    "gradient_accumulation_steps",
    "train_micro_batch_size_per_gpu",
    "train_batch_size",
    "optimizer",
    "scheduler",
    "activation_checkpointing",
    "communication_data_type",
    "steps_per_print",
    "wall_clock_breakdown",
    "zero_allow_untested_optimizer",
)
AUTO = ("gradient_accumulation_steps", "train_micro_batch_size_per_gpu")


def stage(recipe: Recipe) -> int:
    """Return the ZeRO stage of a recipe, 0 for one without DeepSpeed; a fault in its JSON is an ``InputError``."""
    if not recipe.keys.get("deepspeed"):
        return 0
    for fault in faults(recipe):
        raise InputError(fault)
    return int(_read(recipe)["zero_optimization"]["stage"])


def faults(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with the JSON that ``deepspeed`` names."""
    name = recipe.keys.get("deepspeed")
    at = where(recipe, ("deepspeed",))
    if not name:
        return
    if not isinstance(name, dict) and not Path(str(name)).is_file():
        near = nearest(str(name), [str(path) for path in sorted(Path(str(name)).parent.glob("*.json"))])
        yield f"{at}: found no file {str(name)!r}{near}"
        return
    try:
        tree = _read(recipe)
    except ValueError as error:
        yield f"{name}: found {error}, expected JSON"
        return
    yield from (f"{name}: unknown key {key!r}{nearest(key, list(KEYS))}" for key in tree if key not in KEYS)
    found = tree.get("zero_optimization", {}).get("stage")
    if found not in (1, 2, 3):
        yield f"{name}: found zero_optimization.stage {found}, expected 1, 2 or 3"
    for key in AUTO:
        if tree.get(key, "auto") != "auto":
            yield f'{name}: found {key} {tree[key]}, expected "auto": the recipe says it'


def _read(recipe: Recipe) -> dict[str, Any]:
    named = recipe.keys["deepspeed"]
    tree = named if isinstance(named, dict) else json.loads(Path(str(named)).read_bytes())
    if not isinstance(tree, dict):
        raise ValueError(type(tree).__name__)
    return tree
