"""The data files a recipe names: present, unchanged since their mix was built, and hashed for the prepared-data path."""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from converters import check as rows
from converters.build import MANIFEST
from converters.errors import InputError
from converters.jsonl import sha256
from recipes.runner.recipe import Recipe, where

PREPARED = Path("runs/.prepared")
SHOWN = 100


def files(recipe: Recipe) -> list[Path]:
    """Return the local data files of a recipe, those of training first; a missing one is an ``InputError``."""
    return [path for key in ("datasets", "test_datasets") for path in _files(recipe, key)]


def beside(recipe: Recipe) -> list[Path]:
    """Return the file that a plugin reads beside those: the rows that ``ewc_data`` holds a model to."""
    named = recipe.keys.get("ewc_data")
    if named is None or Path(str(named)) in files(recipe):
        return []
    if not Path(str(named)).is_file():
        raise InputError(f"{where(recipe, ('ewc_data',))}: found no file {str(named)!r}, expected a split of a mix")
    return [Path(str(named))]


def _files(recipe: Recipe, key: str) -> Iterator[Path]:
    for number, entry in enumerate(recipe.keys.get(key) or ()):
        at = where(recipe, (key, number, "path"))
        name = entry.get("path") if isinstance(entry, dict) else None
        path = Path(str(name))
        if not path.is_file():
            raise InputError(
                f"{at}: found no file {str(name)!r}, expected rows built by 'make data MIX={path.parent.name}'"
            )
        yield path


def manifests(paths: list[Path]) -> dict[str, Any]:
    """Return each mix's manifest by its path, after checking that every file is the one that the manifest describes."""
    found: dict[str, Any] = {}
    for path in paths:
        manifest = path.with_name(MANIFEST)
        if not manifest.is_file():
            raise InputError(f"{path}: found no {MANIFEST} beside it, expected a mix built by 'ecom-data build'")
        try:
            found[str(manifest)] = json.loads(manifest.read_bytes())
            expected = found[str(manifest)]["splits"][path.stem]["sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{manifest}: found no entry for {path.name}, expected a manifest of 'ecom-data build'"
            ) from error
        if sha256(path) != expected:
            raise InputError(f"{path}: found other bytes than {manifest} describes; build the mix again")
    return found


def contract(paths: list[Path]) -> None:
    """Check every row of the mixes that the files are from, all their splits: form, contract, and no product in two of them."""
    named = {*paths, *(beside for path in paths for beside in rows.files(path.parent))}
    found = list(islice(rows.findings(sorted(named)), SHOWN + 1))
    if found:
        more = (
            ""
            if len(found) == 1
            else f" (and {'more than ' * (len(found) > SHOWN)}{min(len(found) - 1, SHOWN)} others)"
        )
        raise InputError(f"{found[0]}{more}; see: ecom-data check {Path(str(found[0]).partition(':')[0]).parent}")


def content_sha256(paths: list[Path]) -> str:
    """Return one hash over the bytes of all data files, in order."""
    return hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()


def prepared_path(paths: list[Path]) -> Path:
    """Return where Axolotl keeps its tokenised rows of these very bytes.

    Axolotl keys its cache on the configuration, not on the data: without this, an edited file would be trained on as it was.
    """
    return PREPARED / content_sha256(paths)[:16]
