"""DeepSpeed's JSON of a recipe. DeepSpeed passes over a misspelt key in silence, and then shares nothing among the GPUs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, nearest
from recipes.runner.recipe import Recipe, where

# fmt: off
KEYS = (
    "zero_optimization", "bf16", "fp16", "gradient_clipping", "gradient_accumulation_steps",
    "train_micro_batch_size_per_gpu", "train_batch_size", "optimizer", "scheduler", "activation_checkpointing",
    "communication_data_type", "steps_per_print", "wall_clock_breakdown", "zero_allow_untested_optimizer",
)
# DeepSpeed itself refuses others of these, once the GPUs are there
ZERO = (
    "stage", "allgather_bucket_size", "allgather_partitions", "contiguous_gradients", "ignore_unused_parameters",
    "load_from_fp32_weights", "memory_efficient_linear", "offload_optimizer", "offload_param", "overlap_comm",
    "reduce_bucket_size", "reduce_scatter", "round_robin_gradients", "stage3_gather_16bit_weights_on_model_save",
    "stage3_max_live_parameters", "stage3_max_reuse_distance", "stage3_model_persistence_threshold",
    "stage3_module_granularity_threshold", "stage3_param_persistence_threshold", "stage3_prefetch_bucket_size",
    "sub_group_size", "zero_hpz_partition_size", "zero_quantized_gradients",
    "zero_quantized_nontrainable_weights", "zero_quantized_weights",
)
# fmt: on
GATHER = "stage3_gather_16bit_weights_on_model_save"


def stage(recipe: Recipe) -> int:
    """Return the ZeRO stage of a recipe, 0 for one without DeepSpeed; a fault in its JSON is an ``InputError``."""
    if not recipe.keys.get("deepspeed"):
        return 0
    for fault in faults(recipe):
        raise InputError(fault)
    return int(_read(recipe)["zero_optimization"]["stage"])


def offloaded(recipe: Recipe) -> tuple[str, ...]:
    """Return the parts of the memory that a recipe's JSON leaves to the CPU, as :mod:`recipes.runner.capacity.memory` names them.

    With the optimiser go the gradients, which it alone reads (ZeRO-Offload, Ren et al. 2021).
    """
    zero = _read(recipe)["zero_optimization"] if stage(recipe) else {}
    parts = {"optimiser": "offload_optimizer", "gradients": "offload_optimizer", "weights": "offload_param"}
    return tuple(part for part, key in parts.items() if (zero.get(key) or {}).get("device", "none") != "none")


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
    yield from (f"{name}: {fault}" for fault in _faults(tree, recipe))


def _faults(tree: dict[str, Any], recipe: Recipe) -> Iterator[str]:
    yield from (f"unknown key {key!r}{nearest(str(key), list(KEYS))}" for key in tree if key not in KEYS)
    for key in ("zero_optimization", "bf16", "fp16"):
        if not isinstance(tree.get(key, {}), dict):
            yield f"found {key} {tree[key]!r}, expected keys and values"
            return
    yield from _zero_faults(tree.get("zero_optimization", {}))
    for key in ("gradient_accumulation_steps", "train_micro_batch_size_per_gpu"):
        if tree.get(key, "auto") != "auto":
            yield f'found {key} {tree[key]}, expected "auto": the recipe says it'
    for key in ("bf16", "fp16"):
        value, enabled = recipe.keys.get(key), tree.get(key, {"enabled": "auto"}).get("enabled")
        if enabled not in ("auto", bool(value)):
            yield f'found {key}.enabled {enabled}, expected "auto": the recipe says {key} {value}'


def _zero_faults(zero: dict[str, Any]) -> Iterator[str]:
    inside = "in 'zero_optimization'"
    yield from (f"unknown key {key!r} {inside}{nearest(str(key), list(ZERO))}" for key in zero if key not in ZERO)
    if zero.get("stage") not in (1, 2, 3):
        yield f"found zero_optimization.stage {zero.get('stage')}, expected 1, 2 or 3"
    if zero.get("stage") == 3 and zero.get(GATHER) is not True:
        yield f"found {GATHER} {zero.get(GATHER)}, expected true: each GPU has a part of the weights, and none would be saved"


def _read(recipe: Recipe) -> dict[str, Any]:
    name = recipe.keys["deepspeed"]
    tree = name if isinstance(name, dict) else json.loads(Path(str(name)).read_bytes())
    if not isinstance(tree, dict):
        raise ValueError(type(tree).__name__)
    return tree
