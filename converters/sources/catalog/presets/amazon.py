"""Amazon's flat files (inventory templates and category listings reports, saved as text) and its reports of listings.

A flat file begins with a line of the template and labels in the seller's language; then come the names of fields:
``item_sku``, ``color_name``, ``bullet_point1``, or in newer templates ``contribution_sku#1.value``,
``color[marketplace_id=...][language_tag=en_US]#1.value``. Settings in the first line say where the data begin.

* The category is the product type, which is one node, and the command says so. It is written as words: ``LUNCH_BOX`` is "lunch
  box". The numbers of browse nodes are not read.
* Attributes are the fields of a product's looks and make, and all measures with their units. Numbered fields are one list; of
  fields in several languages those count that go with the first title.
* Variants name their parent in ``parent_sku``. A few of each are rows of their own, the rest is merged into the parent.

A report of listings, ``item-name``, ``seller-sku``, has neither product types nor attributes, so it is refused.
Format: templates and reports as public code reads and writes them for Amazon's sites.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from converters.core.errors import InputError
from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head, Header, head

TITLE = "an Amazon file of listings"
_SKUS, _TITLES = ("item_sku", "contribution_sku", "seller_sku"), ("item_name",)
_TYPES = ("feed_product_type", "product_type", "item_type_keyword", "item_type_name", "item_type")
_DESCRIPTIONS, _BULLETS = ("product_description", "item_description"), ("bullet_point",)
_PARENTS, _PARENTAGE = ("parent_sku", "child_parent_sku_relationship"), ("parent_child", "parentage", "parentage_level")
_OWN = {"external_product_id", "recommended_browse_nodes", "standard_price", "update_delete", "merchant_suggested_asin"}
_OWN |= {"feed_product_type", *_BULLETS, *_PARENTS, *_PARENTAGE}
_TYPICAL = (
    _SKUS,
    _TITLES,
    (*_DESCRIPTIONS, *_BULLETS),
    (*_TYPES, "asin"),
    (*_PARENTS, *_PARENTAGE, "listing_id", *_OWN),
)
_ATTRIBUTES = {
    *("brand", "color", "size", "material", "outer_material", "inner_material", "fabric", "pattern", "style", "flavor"),
    *(
        "scent",
        "finish",
        "shape",
        "item_shape",
        "theme",
        "closure",
        "target_gender",
        "department",
        "age_range_description",
    ),
    *(
        "special_features",
        "special_feature",
        "included_components",
        "power_source",
        "neck_style",
        "sleeve",
        "fit",
        "season",
    ),
}
_NOT_OF_PRODUCTS = ("package", "item_package", "website", "shipping", "fulfillment", "unit_count")
_UNIT = "_unit_of_measure"
_FIELD = re.compile(r"(?P<name>[^\[#]+?)_?(?P<number>\d*)(?P<tags>(?:\[[^\]]*\])*)(?:#\d+)?(?:\.(?P<leaf>[\w.]+))?")
_TAG = re.compile(r"\[(\w+)=([^\]]*)\]")
_DATA = re.compile(r"\bdataRow=(\d+)")
_UNPUBLISHED = {"status": ["Inactive", "Incomplete"], "update_delete": ["Delete"], "::record_action": ["Delete"]}
VARIANTS = 4  # a parent and three of its variants: a variant's title tells colour and size, which its parent's does not
TEMPLATE = "line of the template, no product"


class Field(NamedTuple):
    """A column, its field's name without numbers, the tags of marketplace and language, and the part that it holds."""

    column: str
    name: str
    tags: Mapping[str, str]
    leaf: str


def recognise(head: Head) -> Evidence | None:
    """Recognise the line of field names by names that only Amazon has."""
    if not (header := head.header(is_header)):
        return None
    names = {field.name for field in map(_field, header.columns)}
    return Evidence(sum(any(name in names for name in each) for each in _TYPICAL), len(_TYPICAL))


def options(head: Head) -> Mapping[str, Any]:
    """Return the options: bullet points as texts, attributes by their fields' names, variants by their parent.

    A report of listings, of which nothing can be learnt, is an ``InputError`` unless the user names columns.
    """
    fields = _fields(head.header(is_header) or Header(1, head.columns))
    sku, title, kind, parent = (_first(fields, *names) for names in (_SKUS, _TITLES, _TYPES, _PARENTS))
    attributes = {name: columns[0] for name, columns in _attributes(fields).items()}
    if title and not kind and not attributes and not {"category", "attributes", "specs", "pairs"} & {*head.given}:
        raise InputError(
            f"{head.path}: a report of listings, which has neither product types nor attributes: take Amazon's category listings "
            "report, or name columns with --option category=... or attributes=..."
        )
    bullets = [field.column for field in fields if field.name in _BULLETS]
    description = _first(fields, *_DESCRIPTIONS)
    texts = {"Description": description} if description else {}
    return {
        "id": sku or title,
        "title": title,
        "category": kind,
        "several": [],
        "group": parent,
        "variants": VARIANTS if parent else None,
        "texts": texts | {f"Bullet point {number}": column for number, column in enumerate(bullets, 1)},
        "attributes": attributes,
        "units": _units(fields),
        "status": {field.column: _UNPUBLISHED[field.name] for field in fields if field.name in _UNPUBLISHED},
    }


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say that a product type is no path."""
    fields = _fields(head.header(is_header) or Header(1, head.columns))
    if not options["category"] or options["category"] != _first(fields, *_TYPES):
        return []
    return [
        f"categories are Amazon's product types, {options['category']!r}, one node each: the file has no paths of names"
    ]


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows below the template's lines, a parent with its own SKU as its group, repeated fields as one list."""
    for path in paths:
        first = head(path, columns.encoding)
        header = first.header(is_header) or Header(1, first.columns)
        data = max((int(line) for text in first.lines[: header.line] for line in _DATA.findall(text)), default=0)
        fields = _fields(header)
        repeated = {found[0]: found for found in _attributes(fields).values() if len(found) > 1}
        sku, kind = _first(fields, *_SKUS) or columns.id, _first(fields, *_TYPES)
        for where, cells in table_rows(path, columns.needed, columns.encoding, header.line):
            if isinstance(cells, Outcome):
                yield where, cells
            elif data and int(where.rpartition(":")[2]) < data:
                yield where, Outcome(where, reason=TEMPLATE)
            else:
                changed = {kind: _words(cells[kind])} if kind else {}
                changed |= {column: _listed(cells[each] for each in found) for column, found in repeated.items()}
                if columns.group:
                    changed[columns.group] = cells[columns.group].strip() or cells[sku].strip()
                yield where, Sparse({**cells, **changed})


def is_header(cells: Sequence[str]) -> bool:
    """Tell whether a line has the names of the fields."""
    names = {_field(cell).name for cell in cells}
    listing = {"item-name", "seller-sku"} <= {cell.strip().casefold() for cell in cells}
    return listing or bool(names & {*_SKUS} and len(names & (_OWN | {*_TITLES, *_TYPES})) > 1)


def _field(column: str) -> Field:
    match = _FIELD.fullmatch(column.strip())
    if not match:
        return Field(column, column.strip(), {}, "")
    name = match["name"].casefold().replace("-", "_")
    return Field(column, name, dict(_TAG.findall(match["tags"])), (match["leaf"] or "").casefold())


def _fields(header: Header) -> list[Field]:
    """Return the fields of a header; of several marketplaces and languages those of the first title."""
    fields = [_field(column) for column in dict.fromkeys(header.columns)]
    tags = next((field.tags for field in fields if field.name in _TITLES), {})
    return [field for field in fields if all(tags.get(name, value) == value for name, value in field.tags.items())]


def _first(fields: Sequence[Field], *names: str) -> str | None:
    values = ("", "value", "parent_sku")
    found = {field.name: field.column for field in reversed(fields) if field.leaf in values}
    return next((found[name] for name in names if name in found), None)


def _attributes(fields: Sequence[Field]) -> dict[str, list[str]]:
    """Return the attributes' names with their columns: those known, and all that have a unit."""
    measured = {field.name.removesuffix(_UNIT) for field in fields if _is_unit(field)}
    found: dict[str, list[str]] = {}
    for field in fields:
        stem = field.name.removesuffix("_name").removesuffix("_type")
        wanted = stem in _ATTRIBUTES or (field.name in measured and not field.name.startswith(_NOT_OF_PRODUCTS))
        if wanted and field.leaf in ("", "value"):
            found.setdefault(_label(stem), []).append(field.column)
    return found


def _units(fields: Sequence[Field]) -> dict[str, str]:
    named = {_label(field.name.removesuffix(_UNIT)): field.column for field in reversed(fields) if _is_unit(field)}
    return {name: named[name] for name in _attributes(fields) if name in named}


def _is_unit(field: Field) -> bool:
    return field.name.endswith(_UNIT) or field.leaf == "unit"


def _label(stem: str) -> str:
    return stem.replace("_", " ").capitalize()


def _listed(cells: Iterable[str]) -> str:
    values = [text for cell in cells if (text := cell.strip())]
    return json.dumps(values, ensure_ascii=False) if len(values) > 1 else "".join(values)


def _words(code: str) -> str:
    return code if " " in code.strip() else code.replace("_", " ").casefold()
