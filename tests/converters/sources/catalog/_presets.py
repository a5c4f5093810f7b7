"""Exports of one's own invention, converted as a user would: without an option, unless one is given."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.mixture.spec import Entry
from converters.sources.catalog.entry import complete
from tests.converters._converted import Converted, convert


def table(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def converted(path: Path, **options: Any) -> Converted:
    part = convert(Entry(source="catalog", paths=[str(path)], options=options))
    assert part.tally.read == part.tally.used + part.tally.rejected.total()
    return part


def read(path: Path, text: str = "", **options: Any) -> Converted:
    """Convert a file, after the text is written into it if one is given."""
    if text:
        path.write_text(text, "utf-8")
    return converted(path, **options)


def labels(part: Converted) -> dict[str, str]:
    return {row.id.split(":", 2)[2]: row.target for row in part.rows if row.task == "category"}


def stated(part: Converted) -> dict[str, Any]:
    return {row.id.split(":", 2)[2]: json.loads(row.target) for row in part.rows if row.task == "attributes"}


def targets(part: Converted, task: str = "category") -> dict[str, Any]:
    """Return the targets of a task by the product's id, attributes as they are read."""
    rows = {row.id.rpartition(":")[2]: row.target for row in part.rows if row.task == task}
    return {key: json.loads(target) for key, target in rows.items()} if task == "attributes" else rows


def prompts(part: Converted) -> dict[str, str]:
    return {row.id.split(":", 2)[2]: row.messages[0].content for row in part.rows}


def said(path: Path, **options: Any) -> str:
    return "\n".join(complete([path], options).lines)


def chosen(path: Path, **options: Any) -> Mapping[str, Any]:
    return complete([path], options).options
