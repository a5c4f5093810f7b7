"""An earlier mixture as a source: its rows are replayed as they are, each in its split, against forgetting."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from converters import tasks
from converters.core.errors import InputError
from converters.examples import gold, prompt_turns
from converters.io.jsonl import sha256
from converters.schema import MANIFEST, SPLITS, Attributes, Choice, Listing, Outcome, Row, Verdict
from converters.text.matching import title_group
from converters.transforms.few_shot import own
from converters.validation import check

URL = "a folder of ecom-data build"
LICENCE = "those of the mixture"
FILES = "train.jsonl, validation.jsonl, test.jsonl, manifest.json"
TASKS = tuple(tasks.names())
_TITLE = "Title: "


def folders(paths: Sequence[Path]) -> list[Path]:
    """Return the mixtures that files are from."""
    return list(dict.fromkeys(path.parent for path in paths))


def account(folder: Path) -> dict[str, Any]:
    """Return a mixture's manifest; a folder without one is an ``InputError``."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        if all(manifest["splits"][name]["sha256"] for name in SPLITS):
            return manifest
    raise InputError(f"{folder}: no {MANIFEST} of a mixture; name a folder of ecom-data build")


def licence(paths: Sequence[Path]) -> str:
    """Return the licences of all that earlier mixtures were made from."""
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
    has_title = tasks.get(row.task).record in (Listing, Attributes, Choice, Verdict)
    lines = own(prompt_turns(row.task, row.messages)[-1].content).splitlines() if has_title else []
    title = next((title_group(line.removeprefix(_TITLE)) for line in lines if line.startswith(_TITLE)), "")
    group = title if title and row.group.startswith("query:") else row.group
    return group, title or group


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a row; a mixture that is incomplete, or not what its manifest describes, is an ``InputError``."""
    for folder in folders(paths):
        splits = account(folder)["splits"]
        for name in SPLITS:
            path = folder / f"{name}.jsonl"
            if path not in paths or not path.is_file():
                raise InputError(f"{folder}: no {path.name} among the files; name the folder of a whole mixture")
            if sha256(path) != splits[name]["sha256"]:
                raise InputError(f"{path}: not the bytes that {folder / MANIFEST} describes; build the mixture again")
            for line, row in check.rows(path):
                yield _outcome(f"{path}:{line}", row, name)


def _outcome(where: str, row: Row | check.Problem, split: str) -> Outcome:
    problem = row if isinstance(row, check.Problem) else next(check.problems(row), None)
    if problem:
        return Outcome(where, reason=problem.kind, detail=problem.text)
    assert isinstance(row, Row)
    task, answer = tasks.get(row.task), gold(row)
    if task.parse(task.render(answer)) != answer:
        return Outcome(where, reason="answer cannot be written and read back")
    return Outcome(where, (row,), split=split)
