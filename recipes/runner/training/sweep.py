"""A sweep: one recipe, trained once for each combination of settings. A sweep is a YAML file with a recipe and its axes."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import yaml

from converters.core.errors import InputError, nearest, unreadable
from converters.io.jsonl import sha256
from recipes.runner import recipe
from recipes.runner.preflight import base_model, data
from recipes.runner.recipe import Recipe

SWEEPS = recipe.FOLDER / "sweeps"


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe and its axes; each value of an axis has a label and the keys that it changes, ``mix`` among them.

    ``mixes`` are mixtures without a file in ``recipes/mixes``: each is another one (``of``) with keys overridden. ``test`` is the
    mixture whose test rows all runs are scored on; without it that is each run's own, which then has to be the same.
    """

    recipe: str
    axes: list[dict[str, dict[str, Any]]]
    test: str | None = None
    mixes: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Training:
    """One training of a sweep: the name of its run, the overrides as ``key=value``, and its mixture if it has its own."""

    run: str
    overrides: tuple[str, ...]
    mix: str | None

    def command(self, recipe: str) -> list[str]:
        """Return the words of the command line that trains it."""
        sets = (word for override in self.overrides for word in ("--set", override))
        mix = ("--mix", f"data/{self.mix}") if self.mix else ()
        return ["ecom-train", "train", recipe, "--run", self.run, *sets, *mix]


def names() -> list[str]:
    """Return the names of the sweeps in this repository, sorted."""
    return sorted(path.stem for path in SWEEPS.glob("*.yaml"))


def load(name: str) -> Sweep:
    """Read a sweep by its name or path; an unknown or broken one is an ``InputError``."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else SWEEPS / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"no sweep {name!r}{nearest(Path(name).stem, names())}")
    try:
        return msgspec.convert(yaml.safe_load(path.read_text("utf-8")), Sweep)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise unreadable(path, error, "a recipe and its axes") from error


def trainings(sweep: Sweep) -> Iterator[Training]:
    """Yield every combination of one value of each axis, in order."""
    for values in product(*(axis.items() for axis in sweep.axes)):
        changes = {key: value for _, keys in values for key, value in keys.items()}
        mix = str(changes.pop("mix")) if "mix" in changes else None  # YAML takes the name 2026 for a number
        overrides = tuple(f"{key}={json.dumps(value)}" for key, value in changes.items())
        yield Training("-".join([sweep.recipe, *(label for label, _ in values)]), overrides, mix)


def lines(sweep: Sweep) -> Iterator[str]:
    """Yield the commands of a sweep: base and mixtures, trainings, merges, scores and the comparison of all with the first."""
    runs = list(trainings(sweep))
    yield from (f".venv/bin/{shlex.join(words)}" for words in bases(sweep).values())
    for mix, words in builds(sweep).items():
        yield f".venv/bin/{shlex.join(words)}" if mix in sweep.mixes else f"make data MIX={mix}"
    for training in runs:
        yield f".venv/bin/{shlex.join(training.command(sweep.recipe))}"
        yield f"make merge-{training.run} && make eval-{training.run}" + (f" MIX={sweep.test}" if sweep.test else "")
    yield f'make compare RUNS="{" ".join(_scored(training, sweep) for training in runs)}"'


def builds(sweep: Sweep) -> dict[str, list[str]]:
    """Return the words of the command line that builds each mixture of a sweep, by the mixture's name."""
    return {mix: _build(mix, sweep) for mix in dict.fromkeys(one.mix for one in trainings(sweep) if one.mix)}


def bases(sweep: Sweep) -> dict[str, list[str]]:
    """Return the words of the command line that fetches each base model of a sweep that one of ours fetches, by its folder."""
    path = recipe.find(sweep.recipe)
    named = (str(recipe.load(path, one.overrides).keys.get("base_model")) for one in trainings(sweep))
    return {name: words for name in dict.fromkeys(named) if (words := base_model.fetching(name))}


def _build(mix: str, sweep: Sweep) -> list[str]:
    changes = {"of": mix, **sweep.mixes.get(mix, {})}
    spec = f"recipes/mixes/{changes.pop('of')}.yaml"
    sets = (word for key, value in changes.items() for word in ("--set", f"{key}={json.dumps(value)}"))
    return ["ecom-data", "build", spec, *sets, "--out", f"data/{mix}"]


def _scored(training: Training, sweep: Sweep) -> str:
    """Return the name that a run's scores are compared by: those on another mixture have a folder of their own."""
    if sweep.test is None:
        return training.run
    keys = recipe.load(recipe.find(sweep.recipe)).keys
    mix = training.mix or Path(keys["datasets"][0]["path"]).parent.name
    return training.run if sweep.test == mix else f"{training.run}/eval-{sweep.test}"


def differences(record: Mapping[str, Any], recipe: Recipe) -> Iterator[str]:
    """Yield how a run differs from the one that a recipe with its overrides would start now."""
    recorded = {item["name"]: item["sha256"] for item in record["data"]}
    recorded[str(recipe.path)] = record["recipe"]["sha256"]
    for path in (recipe.path, *data.files(recipe)):
        if recorded.get(str(path)) != sha256(path):
            yield f"{path} has changed"
    if record["overrides"] != json.loads(json.dumps(recipe.overrides)):
        yield f"its overrides were {record['overrides']}"
