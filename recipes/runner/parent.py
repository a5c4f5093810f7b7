"""The run that another one goes on from: by its adapter (``lora_model_dir``) or by its merged checkpoint (``base_model``)."""

import json
from pathlib import Path
from typing import Any

from converters.errors import InputError
from recipes.runner import provenance
from recipes.runner.recipe import Recipe, where

PARTS = {"lora_model_dir": "adapter", "base_model": "merged"}
# To Axolotl an adapter that is there settles these; what the recipe says of them it passes over in silence.
SETTLED = {"lora_r": "r", "lora_alpha": "lora_alpha"}


def fits(recipe: Recipe) -> None:
    """Raise an ``InputError`` where ``lora_model_dir`` is no adapter, or one of another shape or base than the recipe says."""
    if not (name := recipe.keys.get("lora_model_dir")):
        return
    at, path = where(recipe, ("lora_model_dir",)), Path(str(name)) / "adapter_config.json"
    if not path.is_file():
        raise InputError(
            f"{at}: found no adapter in {str(name)!r}, expected the folder of one, such as runs/NAME/adapter"
        )
    saved = json.loads(path.read_bytes())
    for key, theirs in SETTLED.items():
        if recipe.keys.get(key) != saved.get(theirs):
            found = f"found {key} {recipe.keys.get(key)}, and {saved.get(theirs)} in {path}"
            raise InputError(f"{where(recipe, (key,))}: {found}; expected the adapter's own")
    trained, named = set(saved.get("target_modules") or ()), recipe.keys.get("lora_target_modules")
    if isinstance(named, list) and trained != set(named):
        found = f"found lora_target_modules {sorted(named)}, and {sorted(trained)} in {path}"
        raise InputError(f"{where(recipe, ('lora_target_modules',))}: {found}; expected the adapter's own")


def find(recipe: Recipe) -> dict[str, Any] | None:
    """Return the parent's name, the part of it that is the start, where that lies and its hash.

    ``None`` for a start that is no run's, but for an adapter, which has no name then. One that is not as its run recorded it, or
    an adapter of another base, is an ``InputError``.
    """
    for key, part in PARTS.items():
        folder = Path(str(recipe.keys.get(key)))
        if folder.name == part and (folder.parent / provenance.RECORD).is_file():
            return _checked(recipe, key, folder)
    if name := recipe.keys.get("lora_model_dir"):
        return _start(None, "adapter", Path(str(name)))
    return None


def _start(run: str | None, part: str, folder: Path) -> dict[str, Any]:
    return {"run": run, "part": part, "path": str(folder), "sha256": provenance.folder_sha256(folder)}


def _checked(recipe: Recipe, key: str, folder: Path) -> dict[str, Any]:
    record, digest = provenance.read(folder.parent), provenance.folder_sha256(folder)
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
