"""All that can go wrong before a GPU is paid for, in the order of its cost."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.runner import data, hardware, lint
from recipes.runner.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Checked:
    """A recipe that passed: its data files, their mixes' manifests, and the rows of each task that the proof took."""

    files: list[Path]
    manifests: dict[str, Any]
    proven: dict[str, int]


def check(recipe: Recipe) -> Checked:
    """Check keys, data, machine and prompts; the first fault is an ``InputError``."""
    lint.lint(recipe)
    files = data.files(recipe)
    manifests = data.manifests(files)
    hardware.require(recipe)
    from recipes.runner import identity

    return Checked(files, manifests, identity.prove(recipe, lint.validated(recipe), files))
