"""Combinations of keys that Axolotl 0.19 and 0.21 accept, and then train or evaluate otherwise than they say, without an error.

Packing that does not keep rows apart, evaluations and checkpoints that are asked for and never come.
"""

import math
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from recipes.runner.capacity import model_shape
from recipes.runner.preflight.kept import schema
from recipes.runner.preflight.machine import gpu_needs
from recipes.runner.recipe import Recipe, where

ATTENTION, EVAL, REAL, BEST = (
    "attn_implementation",
    "eval_sample_packing",
    "multipack_real_batches",
    "load_best_model_at_end",
)
MASKED = frozenset({"sdpa", "eager", "flex_attention"})  # get a mask in which every packed row is a block of its own
STRATEGIES = ("eval_strategy", "evaluation_strategy")  # the older name is the second
EVALUATIONS = ("evals_per_epoch", "eval_steps", *STRATEGIES)


def faults(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every combination that does something else than its keys say."""
    yield from _packing(recipe)
    yield from _evaluation(recipe)
    yield from _saving(recipe)
    for key in ("eval_steps", "save_steps"):
        value = _number(recipe.keys.get(key)) or 0
        if (value >= 1 and value % 1) or (
            value == 1 and isinstance(recipe.keys[key], float)
        ):  # 1.0 would be every step
            said = f"found {key} {recipe.keys[key]}, expected a whole number of steps, or a share of them below 1"
            yield _at(recipe, key, said)


def attention(recipe: Recipe) -> str | None:
    """Return the attention that Axolotl takes, its older keys included, without a kernel's revision; ``None`` for none."""
    older = next((name for key, name in schema.known().legacy.items() if recipe.keys.get(key)), None)
    chosen = recipe.keys.get("attn_implementation") or older
    return re.split("[:@]", str(chosen))[0].strip() if chosen else None


def _packing(recipe: Recipe) -> Iterator[str]:
    keys, chosen = recipe.keys, attention(recipe)
    if not keys.get("sample_packing"):
        if keys.get("eval_sample_packing"):
            said = "Axolotl would join the rows of each batch of an evaluation, each attending to those before it"
            yield _at(recipe, EVAL, f"{EVAL} without sample_packing is not allowed: {said}; set both, or neither")
        return
    yield from _states(recipe)
    # Axolotl drops the mask for these, and the attention then finds where rows begin by their positions.
    axolotl = schema.known()
    apart = {*axolotl.packing, *MASKED}
    if chosen not in apart:
        known = ", ".join(sorted(apart.intersection(axolotl.attentions)))
        yield _at(
            recipe,
            ATTENTION if keys.get(ATTENTION) else "sample_packing",
            f"sample_packing {f'with {ATTENTION} {chosen}' if chosen else f'without {ATTENTION}'} is not allowed: each packed "
            f"row would attend to the rows before it, which evaluation does not show; set {ATTENTION} to one of: {known}",
        )
    elif keys.get(REAL) and chosen not in MASKED and (_number(keys.get("micro_batch_size")) or 1) > 1:
        said = "this attention knows where rows begin only in a batch of one sequence, and each would attend to those before it"
        yield _at(recipe, REAL, f"{REAL} with {ATTENTION} {chosen} is not allowed: {said}; leave {REAL} out")


def _states(recipe: Recipe) -> Iterator[str]:
    """Linear attention has no mask: a row's state goes on into the next, unless the kernel is told where rows begin."""
    name, kernels = str(recipe.keys.get("base_model")), bool(gpu_needs(recipe)) and find_spec("fla") is not None
    if not kernels and model_shape.recurrent(name):
        said = "its layers carry a state on from each row to the next, and only flash-linear-attention, on a GPU, stops that"
        yield _at(
            recipe, "sample_packing", f"sample_packing with base_model {name} is not allowed here: {said}; leave it out"
        )


def _evaluation(recipe: Recipe) -> Iterator[str]:
    keys, share = recipe.keys, _share(recipe, "evals_per_epoch")
    asked = [key for key in EVALUATIONS if keys.get(key) and keys[key] != "no"]
    if asked and not keys.get("test_datasets"):
        said = "no validation loss would be computed; set both, or neither"
        yield _at(recipe, asked[0], f"{asked[0]} without test_datasets: {said}")
    elif keys.get("test_datasets") and not (asked or _unwanted(recipe)):
        said = "no validation loss would be computed; set one of them, or eval_strategy: 'no' if none is wanted"
        yield _at(
            recipe, "test_datasets", f"test_datasets without evals_per_epoch, eval_steps or eval_strategy: {said}"
        )
    elif share and share >= 1:
        yield _at(
            recipe,
            "evals_per_epoch",
            f"found evals_per_epoch {keys['evals_per_epoch']} with num_epochs {keys.get('num_epochs', 1)}: Axolotl heeds it only "
            "where that is more than one evaluation, and would compute no validation loss; set eval_strategy: epoch in its place",
        )


def _unwanted(recipe: Recipe) -> bool:
    return "no" in (recipe.keys.get(key) for key in STRATEGIES)


def _saving(recipe: Recipe) -> Iterator[str]:
    keys, key = recipe.keys, "saves_per_epoch"
    share, strategy = _share(recipe, key), keys.get("save_strategy")
    if share and share >= 1 and strategy == "steps":
        times = f"found {key} {keys[key]} with num_epochs {keys.get('num_epochs', 1)} and save_strategy 'steps'"
        yield _at(recipe, key, f"{times}: Axolotl would save every 500 steps; leave save_strategy out")
    elif share and share < 1 and strategy not in (None, "steps"):
        yield _at(
            recipe, key, f"{key} beside save_strategy {strategy!r}, which Axolotl would not heed: set only one of them"
        )
    save, evaluate = _steps(recipe, "save"), _steps(recipe, "eval")
    if keys.get(BEST) and not (save and evaluate and save % evaluate == 0):  # as Axolotl decides it
        said = "saves at a multiple of the steps between evaluations, such as saves_per_epoch and evals_per_epoch of 2 both"
        yield _at(recipe, BEST, f"{BEST}: the last weights would be kept, not the best; Axolotl needs {said}")


def _steps(recipe: Recipe, kind: str) -> float | None:
    """Return the steps from one ``save`` or ``eval`` to the next, or their share of all if below 1; ``None`` for neither."""
    share = _share(recipe, f"{kind}s_per_epoch")
    return share if share and share < 1 else _number(recipe.keys.get(f"{kind}_steps"))


def _share(recipe: Recipe, key: str) -> float | None:
    """Return the share of all steps from one of so many an epoch to the next; ``None`` where the recipe has no number."""
    times, epochs = _number(recipe.keys.get(key)), _number(recipe.keys.get("num_epochs", 1))
    return 1.0 / (times * epochs) if times and epochs else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):  # what is no number is for Axolotl's schema
        return None


def _at(recipe: Recipe, key: str, sentence: str) -> str:
    return f"{where(recipe, (key,))}: {sentence}"


def evaluations(recipe: Recipe, steps: int) -> str | None:
    """Return when a training of ``steps`` computes a validation loss; ``None`` for a recipe without test_datasets."""
    if not recipe.keys.get("test_datasets"):
        return None
    if _unwanted(recipe):
        return "no validation loss: eval_strategy is no"
    share = _steps(recipe, "eval")
    first = recipe.keys.get("eval_on_start") is not False  # a key of 0.21
    if not share and "epoch" in (recipe.keys.get(key) for key in STRATEGIES):
        return f"a validation loss {'before the first step and ' * first}at the end of each epoch"
    share = share or _number(recipe.keys.get("logging_steps")) or 500  # what the trainer takes for its steps
    every = math.ceil(steps * share) if share < 1 else int(share)
    times = first + math.ceil(steps / max(every, 1))
    start = f"before the first of {steps:,} steps, " * first
    return f"a validation loss {start}after every {every:,} and after the last: {times:,} in all"
