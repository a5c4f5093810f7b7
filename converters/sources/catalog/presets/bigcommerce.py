r"""BigCommerce's product export: ``Item Type`` Product, SKU and Rule, or the newer ``Item`` Product, Variant, Image and Video.

* A product is followed by its rows, which are merged into it. Those of variants tell its options: the older export in the name,
  ``[S]Size=20 cm,[RB]Colour=Grey``, the newer one in ``Options``, ``Type=Rectangle|Name=Size|Value=20 cm``.
* Category paths are joined by ";", their nodes by "/"; a slash in a name is ``\/``.
* Attributes are the brand, the options, the fields for Google Shopping (``GPS Color``, ...) and the custom fields,
  ``"Material=Zinc";"Drain hole=Yes"``. Products that are not visible are counted.

It does not read the newer export's ``Brand ID``, and an export without the rows' kinds is not recognised.
Format: support.bigcommerce.com, "Importing and Exporting Products (v2)", "Importing Product Options (v3)" and "Supported Product
Fields", and headers in public code.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head, head
from converters.sources.catalog.products import following

TITLE = "a BigCommerce product export"
_KINDS = ("Item Type", "Item")
_IDS = ("Product ID", "ID", "Product Code/SKU", "Product SKU", "Code", "SKU")
_TITLES = ("Product Name", "Name")
_CATEGORIES = ("Category", "Categories", "Category String")
_DESCRIPTIONS = ("Product Description", "Description")
_SPECS = ("Product Custom Fields", "Custom Fields")
_ATTRIBUTES = {"Brand": ("Brand Name", "Brand")} | {
    name: (f"GPS {name}",) for name in ("Color", "Size", "Material", "Pattern", "Gender")
}
_VISIBLE = ("Product Visible?", "Product Visible", "Is Visible")
_TYPICAL = (
    _KINDS,
    _IDS,
    _TITLES,
    ("Product Type", "Type"),
    _CATEGORIES,
    _DESCRIPTIONS,
    (*_SPECS, "Options", "Option Set"),
)
_PRODUCT, _OPTIONS = "(product)", 5
_PAIRS = {f"(option {n})": f"(option {n} value)" for n in range(1, _OPTIONS + 1)}
_OWN = {_PRODUCT, *_PAIRS, *_PAIRS.values()}
# "[S]Size=20 cm" up to the next of its kind, or "Type=Rectangle|Name=Size|Value=20 cm" up to the next of its kind.
_OPTION = re.compile(
    r"(?P<mark>\[[A-Z]+\]|Type=[^|]*\|Name=)\s*(?P<name>[^=|]+?)\s*(?:=|\|Value=)(?P<value>.*?)"
    r"(?=[;,]?\s*(?:\[[A-Z]+\]|Type=[^|]*\|Name=)|$)",
    re.DOTALL,
)
_COLOUR = re.compile(r"\s*(?::|\[)\s*#[0-9A-Fa-f]{3,8}.*$", re.DOTALL)  # of a swatch, after its value


def recognise(head: Head) -> Evidence | None:
    """Recognise the header by the column of the rows' kinds, and that by what it holds."""
    kind = head.present(*_KINDS)
    if not kind or not any(row.get(kind, "").strip().casefold() == "product" for row in head.rows):
        return None
    return Evidence(sum(bool(head.present(*names)) for names in _TYPICAL), len(_TYPICAL))


def options(head: Head) -> Mapping[str, Any]:
    """Return the options: SKU, rule, variant and image rows are merged into their product, hidden products are told."""
    attributes = {name: head.present(*columns) for name, columns in _ATTRIBUTES.items()}
    description, specs, visible = (head.present(*names) for names in (_DESCRIPTIONS, _SPECS, _VISIBLE))
    category = head.present(*_CATEGORIES)
    return {
        "id": head.present(*_IDS),
        "title": head.present(*_TITLES),
        "category": category,
        "separator": head.separator(category, "/"),
        "several": ";",
        "group": _PRODUCT,
        "texts": {"Description": description} if description else {},
        "attributes": {name: column for name, column in attributes.items() if column},
        "specs": [specs] if specs else [],
        "pairs": _PAIRS,
        "status": {visible: ["N", "No", "FALSE", "0"]} if visible else {},
    }


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows with their product's key; those that are no products without a title, and their options as pairs."""
    needed = [column for column in columns.needed if column not in _OWN]
    for path in paths:
        first = head(path, columns.encoding)
        kind, *named = (first.present(*names) or "" for names in (_KINDS, _TITLES, ("Options",)))
        table = (
            (where, cells if isinstance(cells, Outcome) else _row(cells, kind, named))
            for where, cells in table_rows(path, needed, columns.encoding)
        )
        yield from following(table, columns, _PRODUCT, partial(_key, columns), partial(_is_part, kind))


def _key(columns: Columns, cells: Cells) -> str:
    return cells[columns.id].strip() or cells[columns.title].strip()


def _is_part(kind: str, cells: Cells, product: str) -> bool:
    return cells[kind].strip().casefold() not in ("product", "")


def _row(cells: Cells, kind: str, named: Sequence[str]) -> Cells:
    if not _is_part(kind, cells, ""):
        return cells
    changed: dict[str, str] = {}
    found = (option for column in named for option in _OPTION.finditer(cells[column]))
    for (name, value), option in zip(_PAIRS.items(), found, strict=False):
        changed |= {name: option["name"], value: _COLOUR.sub("", option["value"]).strip()}
    return Sparse({**cells, **changed})
