"""Shopify's product export, ``products_export_1.csv``, under either of its two sets of headers.

A product takes as many rows as it has variants or images, whichever are more; title, texts, category and metafields stand in the
first of them. Lists of metafields are joined by "; " and hold handles (``moss-green-2``), which the texts spell otherwise.
Format: help.shopify.com, "Using CSV files to import and export products", and exports of five shops.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head

TITLE = "a Shopify product export"
_EXPORT = ("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name", "Option1 Value")
_TEMPLATE = (
    "URL handle",
    "Title",
    "Description",
    "Vendor",
    "Type",
    "Tags",
    "Product category",
    "Option1 name",
    "Option1 value",
)
_METAFIELD = re.compile(r"(?P<name>.*?)\s*\(product\.metafields\.(?P<namespace>[^.]+)\.(?P<key>[^)]+)\)")
_STANDARD = "shopify"  # the namespace of category metafields, whose values are handles


def recognise(head: Head) -> Evidence | None:
    """Recognise the export's own headers, or those of the template."""
    export, template = head.evidence(*_EXPORT), head.evidence(*_TEMPLATE)
    return template if head.present("URL handle") else export if head.present("Handle") else None


def options(head: Head) -> Mapping[str, Any]:
    """Return the options: options of variants by their names, metafields by theirs, drafts and archived products as such."""
    handle = head.present("Handle", "URL handle")
    texts = {"Description": head.present("Body (HTML)", "Description")}
    fields = {
        match["name"] or match["key"]: match[0] for column in head.columns if (match := _METAFIELD.fullmatch(column))
    }
    attributes = {"Brand": head.present("Vendor"), **fields}
    pairs = {head.present(f"Option{n} Name"): head.present(f"Option{n} Value") for n in (1, 2, 3)}
    return {
        "id": handle,
        "title": head.present("Title"),
        "category": head.present("Product Category"),
        "group": handle,
        "texts": {label: column for label, column in texts.items() if column},
        "attributes": {name: column for name, column in attributes.items() if column},
        "pairs": {name: value for name, value in pairs.items() if name and value},
        "status": {"Status": ["draft", "archived"]} if "Status" in head.columns else {},
    }


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows with lists of metafields as JSON and option names in every row; no option is called Title."""
    lists = [column for column in columns.attributes.values() if _METAFIELD.fullmatch(column)]
    for path in paths:
        before: Cells = Sparse()
        for where, cells in table_rows(path, columns.needed):
            if isinstance(cells, Outcome):
                yield where, cells
                continue
            changed = {column: _listed(cells[column]) for column in lists if ";" in cells[column]}
            for name, value in columns.pairs.items():
                # Only the first row names its options; a product without options has one called Title.
                first = cells[name] or (not cells[columns.title].strip() and before[name])
                changed |= {name: first or ""} if cells[value] != "Default Title" else {name: "", value: ""}
            cells = Sparse({**cells, **changed})
            before = cells if cells[columns.title].strip() else before
            yield where, cells


def _listed(cell: str) -> str:
    return json.dumps([value.strip() for value in cell.split(";") if value.strip()], ensure_ascii=False)
