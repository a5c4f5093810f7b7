"""Shopify's product export, ``products_export_1.csv``, under either of its two sets of headers.

A product takes as many rows as it has variants or images, whichever are more; title, texts, category and metafields stand in the
first of them. The rows of a handle are one product, wherever in the file they stand.

* The category is ``Product Category``. Where that column is missing, or empty in all rows, it is the first with a value of
  ``Google Shopping / Google Product Category`` and ``Type``, and the command says so; ``category`` names any other.
* Attributes are the vendor as Brand, the options by the names that each product gives them with the values of all its variants,
  and metafields by their names, in the shop's language (by their keys where two share a name, or have none). Lists are parted at
  ``;``. The values of category metafields and of linked options are handles (``moss-green-2``), which the texts spell otherwise.
* No attributes: ``Default Title``, and metafields of feeds, reviews and search engines, or that hold ids, URLs or objects.
* Products that are drafts, archived or not published are counted.

It cannot tell the options of a product whose first row is missing, and it does not read tags, prices and market columns.
Format: help.shopify.com, "Using CSV files to import and export products", and exports of five shops.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head
from converters.sources.catalog.labels.kinds import ids
from converters.text.none import is_none

TITLE = "a Shopify product export"
_EXPORT = ("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name", "Option1 Value")
_TEMPLATE = ("URL handle", "Title", "Description", "Vendor", "Type", "Tags", "Product category", "Option1 name",
             "Option1 value")  # fmt: skip
_CATEGORIES = ("Product Category", "Google Shopping / Google Product Category", "Type")
_FALSE = ("false", "falsch", "faux", "falso", "onwaar", "fałsz")  # as spreadsheets in other languages write it
_METAFIELD = re.compile(
    r"(?P<name>.*?)\s*\(product\.metafields\.(?P<namespace>[^.]+)\.(?P<key>[^)]+)\)\s*", re.IGNORECASE
)
_NO_NAMESPACE = re.compile(
    r"google|mm-google|reviews?$|judgeme|loox|yotpo|stamped|okendo|trustpilot|global$|seo|shopify--discovery|facebook|klaviyo",
    re.IGNORECASE,
)
_NO_KEY = re.compile(
    r"(^|[-_])(ids?|gid|urls?|links?|json|html|rating|ratings|rating_count|badges?|reviews?|images?|video|videos|file|files|seo|"
    r"title_tag|description_tag|hidden|product_recommendation|related_products|complementary_products)$",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(r"\{|\[\s*[{\[]|gid://|\[\s*\"gid://|https?://|<")


def recognise(head: Head) -> Evidence | None:
    """Recognise the export's own headers, or those of the template."""
    export, template = head.evidence(*_EXPORT), head.evidence(*_TEMPLATE)
    return template if head.present("URL handle") else export if head.present("Handle") else None


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say where the category is from if it is not from its own column, and which other column has some, or Type more."""
    own, google, kind = map(head.present, _CATEGORIES)
    found = options["category"]
    if "category" in head.given:
        return []
    lines = []
    if found != own:
        reason = f"{own!r} is empty in all rows" if own else f"no column {_CATEGORIES[0]!r}"
        lines = [f"{reason}: the category is from {found!r}" if found else f"{reason}, nor another category"]
    for column, least in ((google, 0), (kind, _filled(head, found or ""))):
        given = sum(not is_none(row.get(column or "", "").strip()) for row in head.rows)
        if column and column != found and given > least:
            ids_too = ", with Google's file as --option taxonomy=FILE for its ids" * (given > _filled(head, column))
            lines.append(f"{column!r} holds categories, too: --option 'category={column}' takes them{ids_too}")
    return lines


def options(head: Head) -> Mapping[str, Any]:
    """Return the options: options of variants by their names, metafields by theirs, drafts and archived products as such."""
    handle = head.present("Handle", "URL handle")
    description = head.present("Body (HTML)", "Body HTML", "Description")
    vendor, published = head.present("Vendor"), head.present("Published", "Published on online store")
    status = {head.present("Status"): ["draft", "archived", "unlisted"], published: [*_FALSE]}
    pairs = {head.present(f"Option{n} Name"): head.present(f"Option{n} Value") for n in (1, 2, 3)}
    return {
        "id": handle,
        "title": head.present("Title"),
        "category": _category(head),
        "separator": ">",
        "several": [],
        "group": handle,
        "variants": 1,
        "texts": {"Description": description} if description else {},
        "attributes": ({"Brand": vendor} if vendor else {}) | _metafields(head),
        "pairs": {name: value for name, value in pairs.items() if name and value},
        "status": {column: words for column, words in status.items() if column},
    }


def _category(head: Head) -> str | None:
    """Return the first column of categories that has one; only where the first rows have none, all of them are read."""
    present = [column for name in _CATEGORIES if (column := head.present(name))]
    for column in present:
        if _filled(head, column) or (column != present[-1] and _filled_later(head, column)):
            return column
    return present[0] if present else None


def _filled(head: Head, column: str) -> int:
    return sum(_is_category(row.get(column, ""), head) for row in head.rows)


def _filled_later(head: Head, column: str) -> bool:
    tables = (table_rows(path, (), head.given.get("encoding")) for path in head.paths)
    return any(
        not isinstance(cells, Outcome) and _is_category(cells[column], head) for rows in tables for _, cells in rows
    )


def _is_category(cell: str, head: Head) -> bool:
    """Tell whether a cell has a category: numbers are some only if there is a taxonomy to look them up in."""
    return not is_none(cell.strip()) and (bool(head.given.get("taxonomy")) or not ids(cell.strip()))


def _metafields(head: Head) -> dict[str, str]:
    fields = [match for column in head.columns if (match := _METAFIELD.fullmatch(column)) and _is_asked(match, head)]
    names = Counter(field["name"].casefold() for field in fields)
    return {
        field["name"] if field["name"] and names[field["name"].casefold()] == 1 else _readable(field["key"]): field[0]
        for field in fields
    }


def _is_asked(field: re.Match[str], head: Head) -> bool:
    if _NO_NAMESPACE.match(field["namespace"]) or _NO_KEY.search(field["key"]):
        return False
    return not any(_NO_VALUE.match(row.get(field[0], "").strip()) for row in head.rows)


def _readable(key: str) -> str:
    """Return a metafield's key as a name.

    >>> _readable("color-pattern")
    'Color pattern'
    """
    text = re.sub(r"[-_]+", " ", key).strip()
    return text[:1].upper() + text[1:]


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows with lists of metafields as JSON; no option is called Title."""
    lists = [column for column in columns.attributes.values() if _METAFIELD.fullmatch(column)]
    for path in paths:
        for where, cells in table_rows(path, columns.needed, columns.encoding):
            if isinstance(cells, Outcome):
                yield where, cells
                continue
            changed = {column: _listed(cells[column]) for column in lists if ";" in cells[column]}
            changed |= {columns.id: cells[columns.id].removeprefix("'")}
            for name, value in columns.pairs.items():
                if cells[value].strip().casefold() == "default title":
                    changed |= {name: "", value: ""}
            yield where, Sparse({**cells, **changed})


def _listed(cell: str) -> str:
    return json.dumps([value.strip() for value in cell.split(";") if value.strip()], ensure_ascii=False)
