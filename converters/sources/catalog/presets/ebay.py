"""eBay's listings: Seller Hub templates and downloads, File Exchange, and the report of active listings.

A file may begin with ``Info`` lines; the header has ``*Action(SiteID=US|...)``. Names of required columns begin with "*".

* A category is a path after a leading "/" (``Category name``), a last node (``eBay category 1 name``), or a number alone, which
  is no label, as the command says.
* Attributes are the item specifics, ``C:Brand``, several values parted by "|", and the options of variations.
* A listing's variations follow it and are merged into it: ``Variation`` and ``Colour=Black|Size=L``, where the listing itself has
  ``Colour=Black;White|Size=M;L``. A file of reports repeats the title and writes ``[Size=L]`` in ``Variation details``.

Format: templates as public code writes them for eBay's sites of the US, the UK, Germany and Italy.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head, Header, head
from converters.sources.catalog.products import following
from converters.text.matching import title_group

TITLE = "eBay listings"
_TYPICAL = (
    ("action", "ebaycategory1name", "ebaycategory1number"),
    ("title", "itemtitle"),
    ("categoryname", "categoryid", "category", "ebaycategory1name", "ebaycategory1number", "categoryleafname"),
    ("customlabelsku", "customlabel"),
    ("relationship", "relationshipdetails", "variationdetails", "itemnumber", "itemid", "description", "format"),
)
_TITLES = ("title", "itemtitle")
_PATHS, _LEAVES = ("categoryname",), ("ebaycategory1name", "categoryleafname")
_NUMBERS = ("categoryid", "category", "ebaycategory1number", "categorynumber")
_IDS = ("customlabelsku", "customlabel", "itemnumber", "itemid")
_DETAILS = ("relationshipdetails", "variationdetails")
_ACTION = re.compile(r"\W*action\(siteid=.*", re.IGNORECASE)
_SPECIFIC = re.compile(r"\s*\*?\s*C:\s*(?P<name>.*\S)\s*", re.IGNORECASE)
_CODES = {"ean", "gtin", "isbn", "mpn", "upc"}
_LISTING, _OPTIONS = "(listing)", 5  # the column that holds a listing's key; eBay's most variation specifics
_PAIRS = {f"(option {n})": f"(option {n} value)" for n in range(1, _OPTIONS + 1)}
_OWN = {_LISTING, *_PAIRS, *_PAIRS.values()}
TEMPLATE = "line of the template, no listing"


def recognise(head: Head) -> Evidence | None:
    """Recognise the header, below any lines of the template."""
    if not (header := head.header(is_header)):
        return None
    found = _columns(header)
    return Evidence(sum(any(name in found for name in names) for names in _TYPICAL), len(_TYPICAL))


def options(head: Head) -> Mapping[str, Any]:
    """Return the options: item specifics by their names, variations merged into their listing."""
    header = head.header(is_header) or Header(1, head.columns)
    found = _columns(header)
    path, leaf, number = (_first(found, *names) for names in (_PATHS, _LEAVES, _NUMBERS))
    texts = {"Subtitle": found.get("subtitle"), "Description": found.get("description")}
    attributes: dict[str, str] = {}
    for column in header.columns:
        if (match := _SPECIFIC.fullmatch(column)) and match["name"].casefold() not in _CODES:
            attributes.setdefault(match["name"], column)
    return {
        "id": _first(found, *_IDS, *_TITLES),
        "title": _first(found, *_TITLES),
        "category": path or leaf or number,
        "separator": "/" if path else ":",  # a last node may hold a slash
        "several": [],
        "group": _LISTING,
        "texts": {label: column for label, column in texts.items() if column},
        "attributes": attributes,
        "values": "|",
        "pairs": _PAIRS if _first(found, *_DETAILS) else {},
    }


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say that a category's number is no label."""
    found = _columns(head.header(is_header) or Header(1, head.columns))
    if not options["category"] or options["category"] != _first(found, *_NUMBERS):
        return []
    return [
        f"categories are eBay's numbers, {options['category']!r}, no names: a download with 'Category name' has paths"
    ]


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows with their listing's key; those of variations without a title, and their options as pairs."""
    needed = [column for column in columns.needed if column not in _OWN]
    for path in paths:
        header = head(path, columns.encoding).header(is_header)
        found = _columns(header) if header else {}
        relation, details = found.get("relationship", ""), _first(found, *_DETAILS) or ""
        is_part = partial(_is_variation, columns.title, relation, details)
        table = map(_without_template, table_rows(path, needed, columns.encoding, header.line if header else None))
        for where, cells in following(table, columns, _LISTING, partial(_key, columns.title), is_part):
            yield where, cells if isinstance(cells, Outcome) else _row(cells, columns, details)


def _key(title: str, cells: Cells) -> str:
    return title_group(cells[title])


def _is_variation(title: str, relation: str, details: str, cells: Cells, listing: str) -> bool:
    """Tell whether a row is a variation of the listing before; some files repeat its title, reports mark only variations."""
    own = cells[title].strip()
    marked = cells[relation].strip() or (cells[details].strip() and (not own or _name(details) == "variationdetails"))
    return bool(marked) and (not own or title_group(own) == listing)


def _without_template(row: tuple[str, Cells | Outcome]) -> tuple[str, Cells | Outcome]:
    where, cells = row
    if not isinstance(cells, Outcome) and next(iter(cells.values()), "").lstrip("# ").casefold().startswith("info"):
        return where, Outcome(where, reason=TEMPLATE)
    return row


def _row(cells: Cells, columns: Columns, details: str) -> Cells:
    path = _path if columns.separator == "/" else str.strip
    changed = {column: path(cells[column]) for column in columns.category}
    for (name, value), pair in zip(_PAIRS.items(), _options(cells[details]), strict=False):
        changed |= {name: pair[0], value: json.dumps(pair[1], ensure_ascii=False)}
    return Sparse({**cells, **changed})


def _path(cell: str) -> str:
    """Return a path as eBay's templates write it; its reports and other tools part nodes by ":" or ">"."""
    text = cell.strip()
    nodes = re.split(r"\s*>\s*|:(?=\S)", text)
    return (
        text.strip("/") if text[:1] == "/" or len(nodes) < 2 else "/".join(node.replace("/", r"\/") for node in nodes)
    )


def _options(cell: str) -> list[tuple[str, list[str]]]:
    """Return the names and values of ``Colour=Black;White|Size=L``; a report writes it in brackets."""
    pairs = (piece.partition("=") for piece in cell.strip().strip("[]").split("|"))
    return [
        (name.strip(), values)
        for name, _, text in pairs
        if name.strip() and (values := [value.strip() for value in text.split(";") if value.strip()])
    ]


def is_header(cells: Sequence[str]) -> bool:
    """Tell whether a line has the names of the columns."""
    names = {*map(_name, cells)}
    sure = any(map(_ACTION.fullmatch, cells)) or names & {"ebaycategory1name", "ebaycategory1number"}
    likely = "action" in names and names & {"customlabelsku", "customlabel", "categoryname", "relationshipdetails"}
    return bool((sure or likely) and names & {*_TITLES})


def _columns(header: Header) -> dict[str, str]:
    """Return the columns by their names without stars, blanks and brackets, in lower case; the first of a name counts."""
    return {_name(column): column for column in reversed(header.columns)}


def _name(column: str) -> str:
    return "action" if _ACTION.fullmatch(column) else re.sub(r"[\W_]", "", column).casefold()


def _first(found: Mapping[str, str], *names: str) -> str | None:
    return next((found[name] for name in names if name in found), None)
