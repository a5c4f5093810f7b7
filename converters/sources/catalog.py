"""Your own catalogue: a CSV, TSV or JSONL export with a title, a category path and, if you have them, attribute columns.

Options name the columns. A category may be one text with separators (``A > B``, ``A >> B``, ``A | B``, ``A / B``) or a JSON list
that holds such a text. With ``taxonomy`` set to a Google-format file, a category that is not in it is a counted reject.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.outcome import Outcome, digest, product_group
from converters.raw import Range, decoded, need_columns, table
from converters.records import Attributes, Listing, Text
from converters.sources.google_taxonomy import Taxonomy, load
from converters.untrusted import one_line

URL = "your own export"
LICENCE = "yours"
FILES = "*.csv, *.tsv, *.jsonl, *.parquet"
TASKS = ("category", "attributes")
STREAMS = True

Row = Mapping[str, str]
Found = tuple[tuple[str, ...], str, tuple[str, ...]]  # path, why there is none, notes


def read(
    paths: Sequence[Path | Range],
    *,
    id: str = "id",  # noqa: A002 - the option's name
    title: str = "title",
    category: str = "category",
    separator: str = ">",
    texts: Mapping[str, str] | None = None,
    attributes: Mapping[str, str] | None = None,
    taxonomy: str | None = None,
) -> Iterator[Outcome]:
    """Yield one outcome a row.

    ``texts`` and ``attributes`` map a label to a column, such as ``{"Brand": "brand"}``. An attribute whose value does not
    stand in the product's text cannot be extracted from it: it is left out and noted.
    """
    texts, attributes = texts or {}, attributes or {}
    tree = load(Path(taxonomy)) if taxonomy else None
    columns = [id, title, category, *texts.values(), *attributes.values()]
    for path in paths:
        for where, row in _rows(path):
            if isinstance(row, Outcome):
                yield row
                continue
            need_columns(path, row, columns)
            found = _path(row[category], row[title], separator, tree)
            yield _outcome(where, row, row[id], row[title], texts, attributes, found, tree.release if tree else "")


def _rows(path: Path | Range) -> Iterator[tuple[str, Row | Outcome]]:
    if isinstance(path, Range) or {".jsonl", ".json", ".parquet"} & set(path.suffixes):
        for where, value in decoded([path], dict[str, Any]):
            yield where, value if isinstance(value, Outcome) else {k: _cell(v) for k, v in value.items()}
    elif {".csv", ".tsv"} & set(path.suffixes):
        yield from table(path)
    else:
        raise InputError(
            f"{path}: found the ending {path.suffix!r}, expected .csv, .tsv, .jsonl or .parquet (all but the last also with .gz)"
        )


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _outcome(
    where: str,
    row: Row,
    identifier: str,
    title: str,
    texts: Mapping[str, str],
    attributes: Mapping[str, str],
    found: Found,
    release: str,
) -> Outcome:
    if not title.strip():
        return Outcome(where, reason="no title")
    shown = (Text("Title", title), *(Text(label, row[c]) for label, c in texts.items() if row[c].strip()))
    values = _values(row, attributes, shown)
    path, reason, notes = found
    group, identifier = product_group(identifier, title), identifier.strip() or digest(shown)
    listing = (Listing(identifier, group, shown, path, release),) if path else ()
    extraction = (Attributes(identifier, group, shown, values),) if values else ()
    absent = sum(bool(row[column].strip()) for column in attributes.values()) - len(values)
    notes += ("attribute left out: its value is not in the text",) * absent
    notes += (f"no category path: {reason}",) if extraction and not listing else ()
    return Outcome(where, listing + extraction, "" if listing + extraction else reason, notes)


def _values(row: Row, attributes: Mapping[str, str], texts: Sequence[Text]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    words = f" {one_line(' '.join(text.text for text in texts))} ".casefold()
    cells = ((name, one_line(row[column])) for name, column in attributes.items())
    return tuple((name, (cell,)) for name, cell in cells if cell and cell.casefold() in words)


def _path(cell: str, title: str, separator: str, tree: Taxonomy | None) -> Found:
    nodes = [one_line(node) for node in _unlisted(cell).split(separator)]
    if not any(nodes):
        return (), "no category", ()
    cut = _is_title(nodes[-1], title)
    path = tuple(nodes[:-1] if cut else nodes)
    notes = ("last node of the category is the title: cut",) if cut else ()
    if not all(path) or not path or any(">" in node for node in path):
        return (), "category is the title" if cut and not path else "category with an empty node or a '>'", notes
    if tree and path not in _known(tree):
        return (), "category not in the taxonomy", notes
    return path, "", notes


@cache
def _known(tree: Taxonomy) -> frozenset[tuple[str, ...]]:
    return tree.paths


def _unlisted(cell: str) -> str:
    """Take the text out of a cell such as ``["A >> B"]``."""
    if not cell.lstrip().startswith("["):
        return cell
    try:
        inner = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return str(inner[0]) if inner and isinstance(inner[0], str) else ""


def _is_title(node: str, title: str) -> bool:
    """Tell whether a shop wrote the product's own title, perhaps cut short by dots, as the last node."""
    short = node.rstrip(".").rstrip()
    return one_line(title).startswith(short) if node.endswith("...") and short else node == one_line(title)
