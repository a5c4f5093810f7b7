"""The run that another one goes on from: by its adapter (``lora_model_dir``) or by its merged checkpoint (``base_model``)."""

import json
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.sums import folder_sha256
from recipes.runner import estimate, provenance
from recipes.runner.recipe import Recipe, where

PARTS = {"lora_model_dir": "adapter", "base_model": "merged"}
# To Axolotl an adapter that is there settles these; what the recipe says of them it passes over in silence.
SETTLED = {
    "lora_r": "r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "lora_target_modules": "target_modules",
    "lora_target_parameters": "target_parameters",
    "lora_modules_to_save": "modules_to_save",
    "lora_rank_pattern": "rank_pattern",
    "lora_alpha_pattern": "alpha_pattern",
    "peft_layers_to_transform": "layers_to_transform",
    "peft_trainable_token_indices": "trainable_token_indices",
    "peft_use_dora": "use_dora",
    "peft_use_rslora": "use_rslora",
}


def fits(recipe: Recipe) -> None:
    """Raise an ``InputError`` where ``lora_model_dir`` is no adapter, or one of another shape or base than the recipe says."""
    if not (name := recipe.keys.get("lora_model_dir")):
        return
    at, path = where(recipe, ("lora_model_dir",)), Path(str(name)) / "adapter_config.json"
    if not path.is_file():
        raise InputError(
            f"{at}: found no adapter in {str(name)!r}, expected the folder of one, such as runs/NAME/adapter"
        )
    try:
        saved = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: found {error}, expected JSON") from error
    for key, theirs in SETTLED.items():
        ours, its = _plain(_said(recipe, key)), _plain(saved.get(theirs))
        if ours != its:
            raise InputError(
                f"{where(recipe, (key,))}: found {key} {ours}, and {its} in {path}; expected the adapter's own"
            )
    _same_base(recipe, saved.get("base_model_name_or_path"), path)


def _said(recipe: Recipe, key: str) -> Any:
    said = recipe.keys.get(key)
    if key == "lora_target_modules" and recipe.keys.get("lora_target_linear"):
        return [*{*estimate.LINEAR, *([said] if isinstance(said, str) else said or ())}]
    return said


def _plain(value: Any) -> Any:
    """Return a setting so that equal ones are equal: the order of names is none, and nothing, no and 0 are one."""
    return sorted(value) if isinstance(value, list) and value else value or None


def _same_base(recipe: Recipe, theirs: str | None, path: Path) -> None:
    ours = str(recipe.keys.get("base_model"))
    if theirs in (None, ours) or _run(path.parent, "adapter"):  # of a run's the bytes are compared
        return
    folders = [folder and folder.resolve() for folder in map(provenance.base_folder, (ours, str(theirs)))]
    if None in folders or folders[0] != folders[1]:
        raise InputError(
            f"{where(recipe, ('base_model',))}: found base_model {ours!r}, and an adapter that was trained on {theirs!r} "
            f"({path}); expected the same base"
        )


def _run(folder: Path, part: str) -> bool:
    return folder.name == part and (folder.parent / provenance.RECORD).is_file()


def find(recipe: Recipe) -> dict[str, Any] | None:
    """Return the parent's name, the part of it that is the start, where that lies and its hash.

    ``None`` for a start that is no run's, but for an adapter, which has no name then. One that is not as its run recorded it, or
    an adapter of another base, is an ``InputError``.
    """
    for key, part in PARTS.items():
        folder = Path(str(recipe.keys.get(key)))
        if _run(folder, part):
            return _checked(recipe, key, folder)
    if name := recipe.keys.get("lora_model_dir"):
        return _start(None, "adapter", Path(str(name)))
    return None


def _start(run: str | None, part: str, folder: Path) -> dict[str, Any]:
    return {"run": run, "part": part, "path": str(folder), "sha256": folder_sha256(folder)}


def _checked(recipe: Recipe, key: str, folder: Path) -> dict[str, Any]:
    record, digest = provenance.read(folder.parent), folder_sha256(folder)
    recorded = record.get(f"{folder.name}_sha256")
    if digest != recorded:
        raise InputError(
            f"{where(recipe, (key,))}: found other bytes in {folder} than {folder.parent / provenance.RECORD} tells of "
            f"({digest[:12]}, recorded {str(recorded)[:12]}); expected the {folder.name} as its run left it"
        )
    if key == "lora_model_dir":
        theirs, ours = record["base_model"], provenance.base_model(str(recipe.keys.get("base_model")))
        if (theirs["sha256"] or theirs["name"]) != (ours["sha256"] or ours["name"]):
            raise InputError(
                f"{where(recipe, ('base_model',))}: found base_model {ours['name']!r}, and an adapter of {folder.parent} "
                f"that was trained on {theirs['name']!r}; expected the same base"
            )
    return _start(folder.parent.name, folder.name, folder)
