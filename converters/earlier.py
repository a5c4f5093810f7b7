"""A mix that was built before: its manifest, its licences, and what its rendered rows say of their products."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters import tasks
from converters.errors import InputError
from converters.examples import Row, asked
from converters.few_shot import own
from converters.outcome import title_group
from converters.records import Attributes, Choice, Listing, Verdict
from converters.split import SPLITS

MANIFEST = "manifest.json"
_TITLE = "Title: "


def folders(paths: Sequence[Path]) -> list[Path]:
    """Return the mixes that files are from."""
    return list(dict.fromkeys(path.parent for path in paths))


def account(folder: Path) -> dict[str, Any]:
    """Return a mix's manifest; a folder without one is an ``InputError``."""
    path = folder / MANIFEST
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        missing = [name for name in SPLITS if "sha256" not in found["splits"][name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: found no {MANIFEST} of a mix, expected a folder of ecom-data build") from error
    if missing:
        raise InputError(f"{path}: found no hash of {missing[0]}.jsonl, expected a manifest of ecom-data build")
    return found


def licence(paths: Sequence[Path]) -> str:
    """Return the licences of all that earlier mixes were made from."""
    return "; ".join(sorted({part["licence"] for folder in folders(paths) for part in account(folder)["sources"]}))


def product(row: Row) -> tuple[str, str]:
    """Return the group of the product that a row asks about, and the one that its title alone would give it.

    >>> from converters.examples import Turn
    >>> turns = [Turn("user", "[CLASSIFY] Path:\\nTitle: Red  MUG!"), Turn("assistant", "Mugs")]
    >>> row = Row(id="1", group="asin:B0", task="category", source="s", messages=turns)
    >>> product(row) == ("asin:B0", title_group("red mug"))
    True
    >>> pair = Row(id="1", group="query:mug", task="yes_no", source="s", messages=turns)
    >>> product(pair) == (title_group("red mug"),) * 2
    True
    """
    named = tasks.get(row.task).record in (Listing, Attributes, Choice, Verdict)
    lines = own(asked(row.task, row.messages)[-1].content).splitlines() if named else []
    title = next((title_group(line.removeprefix(_TITLE)) for line in lines if line.startswith(_TITLE)), "")
    known = title if title and row.group.startswith("query:") else row.group
    return known, title or known
