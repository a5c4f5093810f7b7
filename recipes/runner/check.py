"""All that can go wrong before a GPU is paid for, in the order of its cost."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.runner import data, hardware, lint
from recipes.runner.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Checked:
    """A recipe that passed: its data files, their mixes' manifests, and counts of rows by task.

    ``proven`` rows were held against evaluation's prompts; ``too_long`` ones are over ``sequence_len`` and will be dropped.
    """

    files: list[Path]
    manifests: dict[str, Any]
    rows: dict[str, int]
    proven: dict[str, int]
    too_long: dict[str, int]
    sequence_len: int


def check(recipe: Recipe) -> Checked:
    """Check keys, data, machine and prompts; the first fault is an ``InputError``."""
    lint.lint(recipe)
    data.base(recipe)
    files = data.files(recipe)
    manifests = data.manifests(files)
    hardware.require(recipe)
    from recipes.runner import identity, lengths

    config = lint.validated(recipe)
    tokenizer = identity.load_tokenizer(config)
    proven = identity.prove(config, tokenizer, files)
    rows, too_long = lengths.count(files, tokenizer, config.sequence_len)
    return Checked(files, manifests, rows, proven, too_long, config.sequence_len)
