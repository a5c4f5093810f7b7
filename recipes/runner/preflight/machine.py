"""Whether this machine can run a recipe: GPU, precision, packages."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from converters.core.errors import InputError
from recipes.runner.capacity.hardware import gpus
from recipes.runner.recipe import Recipe

# What a recipe for a GPU changes to run, slowly, on a CPU; None leaves a key out.
# fmt: off
CPU: dict[str, Any] = {
    "bf16": False, "tf32": False, "attn_implementation": "sdpa", "optimizer": "adamw_torch",
    "deepspeed": None, "plugins": None, "liger_fused_linear_cross_entropy": None, "liger_cross_entropy": None,
    "liger_rms_norm": None, "lora_mlp_kernel": False, "test_datasets": None, "eval_sample_packing": None,
    "evals_per_epoch": None,
}
# fmt: on

PACKAGES = {"deepspeed": "deepspeed", "use_ray": "ray"}  # what a key needs and set-up may not have got


def on_cpu(recipe: Recipe) -> Recipe:
    """Return a recipe for a GPU with the keys changed that a CPU cannot serve, and no other."""
    changes = {key: value for key, value in CPU.items() if key in recipe.keys or value is not None}
    keys = {key: value for key, value in (recipe.keys | changes).items() if key not in CPU or value is not None}
    return replace(recipe, keys=keys, overrides={**recipe.overrides, **changes})


def fitted(recipe: Recipe, cards: Sequence[str]) -> Recipe:
    """Return a recipe with PyTorch's own attention if there is a GPU and no flash-attn; the run's record has it."""
    flash = recipe.keys.get("attn_implementation") == "flash_attention_2"
    if not (flash and cards and find_spec("flash_attn") is None):
        return recipe
    # Axolotl gives packed rows to PyTorch's variable-length kernel then: the same result, a little slower.
    change = {"attn_implementation": "sdpa"}
    return replace(recipe, keys=recipe.keys | change, overrides={**recipe.overrides, **change})


def gpu_needs(recipe: Recipe) -> list[str]:
    """Return the keys that only a GPU can serve; a recipe for the CPU turns the half-precision formats off by name."""
    return list(_needs(recipe.keys))


def _needs(keys: dict[str, Any]) -> Iterator[str]:
    if keys.get("bf16", "auto"):
        yield f"bf16: {str(keys.get('bf16', 'auto')).lower()}"
    yield from (f"{key}: true" for key in ("fp16", "tf32") if keys.get(key))
    if "flash" in str(keys.get("attn_implementation", "")) or keys.get("flash_attention"):
        yield "flash attention"
    if any(word in str(keys.get("optimizer", "")) for word in ("8bit", "paged")):
        yield f"optimizer: {keys['optimizer']}"
    if keys.get("deepspeed"):
        yield "deepspeed"


def require(recipe: Recipe) -> None:
    """Raise an ``InputError``, before anything is loaded or fetched, if GPU, PyTorch build or a package is missing."""
    needs = gpu_needs(recipe)
    if needs and not gpus():
        raise InputError(
            f"{recipe.path.stem} needs an NVIDIA GPU ({', '.join(needs)}) and this machine shows none; "
            "nothing was downloaded. 'make demo' runs the whole path on a CPU"
        )
    if needs and metadata.version("torch").endswith("+cpu"):
        raise InputError(
            f"{recipe.path.stem}: found an NVIDIA GPU and PyTorch's build for CPUs, expected the one for CUDA: make setup"
        )
    for key, package in PACKAGES.items():
        if recipe.keys.get(key) and find_spec(package) is None:
            raise InputError(
                f"{recipe.path.stem}: found {key}, and no {package} in this environment, expected it: "
                f'.venv/bin/uv pip install --no-build-isolation -e ".[{package}]"'
            )
