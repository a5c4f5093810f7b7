"""A recipe: one complete Axolotl YAML, with the line of every key so that an error can name it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from converters.core.errors import InputError, nearest, unreadable
from converters.core.given import ERRORS


def usual(keys: Mapping[str, Any], available: int) -> int:
    """Return the GPUs that a recipe takes where nobody says how many.

    >>> usual({"deepspeed": "zero3.json"}, 8), usual({}, 8), usual({"use_ray": True, "ray_num_workers": 4}, 0)
    (8, 1, 4)
    """
    if keys.get("use_ray"):
        workers = keys.get("ray_num_workers")
        return workers if isinstance(workers, int) and workers > 0 else 1  # another value is for the lint to refuse
    return max(1, available) if divides(keys) else 1


def divides(keys: Mapping[str, Any]) -> bool:
    """Tell whether a recipe divides the model over its GPUs and so needs process groups even for one."""
    return bool(keys.get("deepspeed") or keys.get("fsdp_config"))


def base_folder(name: str) -> Path | None:
    """Return where a base model lies, local or in the hub's cache, as far as it was fetched."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(path).parent if isinstance(path, str) else None


FOLDER = Path(__file__).resolve().parents[1]
Place = tuple[str | int, ...]  # the way to a key, such as ("datasets", 0, "type")
ON_CPU = "recipes.plugins.cpu.CPU"  # the plugin for a training without a GPU
# The old names answer for one release.
RENAMED = {
    "recipes.runner.whole_answer": "recipes.plugins.completion_only",
    "recipes.runner.plugin.RunPlugin": "recipes.plugins.run.RunPlugin",
    "recipes.runner.meter.Meter": "recipes.plugins.run.Meter",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe's keys as Axolotl will get them, where each one stands, and what the command line changed."""

    path: Path
    keys: dict[str, Any]
    lines: Mapping[Place, str]
    overrides: Mapping[str, Any]
    renamed: Mapping[Place, str] = field(default_factory=dict)  # names of an earlier release, replaced in the keys


def names() -> list[str]:
    """Return the names of the recipes in this repository, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find(name: str) -> Path:
    """Return a recipe's file by its name or path; an unknown one is an ``InputError`` with the nearest right name."""
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"no recipe {name!r}{nearest(Path(name).stem, names())}")
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def machine(path: Path) -> str | None:
    """Return the cards that a recipe's header names, such as ``4x80gb``; ``None`` for a recipe that needs none."""
    found = re.search(r"^#.* Machine: (one|\d+) NVIDIA GPUs? with (\d+) GB", path.read_text("utf-8"), re.MULTILINE)
    return f"{found[1].replace('one', '1')}x{found[2]}gb" if found else None


def load(path: Path, overrides: Sequence[str] = (), mix: str | None = None) -> Recipe:
    """Read a recipe, put the overrides in, and take its data from the folder ``mix`` if one is given.

    An override is ``key=value`` or ``--the-key=value``; broken YAML and repeated keys are ``InputError``s.
    """
    try:
        text = path.read_text("utf-8")
        keys = yaml.safe_load(text)
        lines = dict(_lines(yaml.compose(text), path, ()))
    except ERRORS as error:
        raise unreadable(path, error, "YAML") from error
    if not isinstance(keys, dict):
        raise InputError(
            f"{path}: found {'an empty file' if keys is None else type(keys).__name__}, expected keys and values"
        )
    changed = dict(map(parse_override, overrides))
    for override in overrides:
        key, label = _key(override), override.partition("=")[0] if override.startswith("--") else "--set"
        lines |= {(key, *rest): label for rest in ((), *(place[1:] for place in lines if place[0] == key))}
    if mix:
        changed |= {key: _moved(keys[key], mix) for key in ("datasets", "test_datasets") if keys.get(key)}
    renamed: dict[Place, str] = {}
    return Recipe(path, _renewed(keys | changed, renamed), lines, changed, renamed)


def _renewed(tree: Any, renamed: dict[Place, str], place: Place = ()) -> Any:
    """Return keys with the new names of prompt strategies and plugins; ``renamed`` gets the old ones by their place."""
    if isinstance(tree, dict):
        return {key: _renewed(value, renamed, (*place, key)) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_renewed(value, renamed, (*place, number)) for number, value in enumerate(tree)]
    if isinstance(tree, str) and tree in RENAMED and (place[0] == "plugins" or place[-1] == "type"):
        renamed[place] = tree
        return RENAMED[tree]
    return tree


def _moved(entries: Any, mix: str) -> Any:
    """Return dataset entries with each file taken from another mix; what is no list of entries is left to the lint."""
    if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        return entries
    return [entry | {"path": str(Path(mix) / Path(str(entry.get("path"))).name)} for entry in entries]


def joined(words: Sequence[str]) -> list[str]:
    """Return the words of a command line as overrides; what is none is an ``InputError``.

    >>> joined(["--learning-rate", "1e-4", "--seed=1"])
    ['--learning-rate=1e-4', '--seed=1']
    """
    found, left = [], iter(words)
    for word in left:
        if not word.startswith("--"):
            raise InputError(f"found {word!r}, expected --key value for a key of the recipe")
        value = "" if "=" in word else next(left, None)
        if value is None or value.startswith("--"):
            raise InputError(f"{word}: has no value after it; write {word} VALUE")
        found.append(word if "=" in word else f"{word}={value}")
    return found


def parse_override(text: str) -> tuple[str, Any]:
    """Read ``key=value`` or ``--the-key=value``, the value as YAML.

    >>> parse_override("learning_rate=1.0e-4"), parse_override("--lora-target-modules=[q_proj, v_proj]")
    (('learning_rate', 0.0001), ('lora_target_modules', ['q_proj', 'v_proj']))
    """
    key, value = _key(text), text.partition("=")[2]
    if not ("=" in text and key):
        raise InputError(f"--set {text!r}: has no '='; write key=value")
    try:
        return key, _number(yaml.safe_load(value))
    except ERRORS as error:
        raise InputError(f"--set {text!r}: found {value!r}, expected a YAML value") from error


def _key(override: str) -> str:
    key = override.partition("=")[0]
    return key.removeprefix("--").replace("-", "_") if key.startswith("--") else key


def _number(value: Any) -> Any:
    # YAML 1.1 reads 1e-4 as a text; everybody who types it means the number.
    try:
        return float(value) if isinstance(value, str) and "e" in value.lower() else value
    except ValueError:
        return value


def _lines(node: Any, path: Path, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            where = f"{path}:{key.start_mark.line + 1}"
            if key.value in seen:
                raise InputError(f"{where}: found key {key.value!r} again, expected every key once")
            seen.add(key.value)
            yield (*place, key.value), where
            yield from _lines(value, path, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _lines(item, path, (*place, number))


def where(recipe: Recipe, place: Place) -> str:
    """Return ``file:line`` of a key, or ``--set`` when it came from the command line."""
    while place and place not in recipe.lines:
        place = place[:-1]
    return recipe.lines.get(place, str(recipe.path))


def named_files(tree: Any) -> Iterator[Path]:
    """Yield every file that stands anywhere in a recipe: its rows first of all, and a chat template of its own."""
    if isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from named_files(part)
    elif isinstance(tree, str) and os.path.isfile(tree):  # noqa: PTH113, a template itself is too long a name for pathlib
        yield Path(tree)


def dump(keys: Mapping[str, Any]) -> str:
    """Return keys as YAML, in their order."""
    return yaml.safe_dump(dict(keys), sort_keys=False, allow_unicode=True)
