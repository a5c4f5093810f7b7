r"""Magento 2's and Adobe Commerce's product export, ``export_catalog_product.csv``, whose headers are the same in all languages.

* Several categories are parted by ``,`` (``|`` in releases of 2.0), nodes by ``/`` (``\/`` is a slash). Names may hold commas:
  where all paths have one root, a part that does not begin with it belongs to the category before it. The root is cut; a category
  that is only a root is none.
* Attributes are those of ``additional_attributes`` (``code=value``, values in ``"…"`` or not, several parted by ``|``), by their
  codes, columns that a shop exports on their own, and of a configurable product the values of its children. Not asked: the
  system's own codes, switches (Yes, No) and URLs; ``asked`` names such a code if it is wanted.
* Rows of store views are merged into the product. The children of a configurable product (``configurable_variations``) are merged
  into it; ``variants: N`` keeps up to N rows of a product. The products of a grouped one (``associated_skus``) are products of
  their own in its group.
* Disabled products, and those not visible individually that are no other's child, are counted as not published.

It does not take texts from store views, nor tie the products of a bundle or related products together. A value without enclosure
that holds ``,code=`` is read as two attributes.
Format: magento/magento2, CatalogImportExport/Model/Export/Product.php; attribute codes: Eav/Model/Entity/Attribute.php.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.attributes.specs import parse_specs
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head, head

TITLE = "a Magento 2 product export"
_TYPICAL = ("sku", "store_view_code", "attribute_set_code", "product_type", "categories", "product_websites", "name",
            "product_online", "visibility", "additional_attributes")  # fmt: skip
_OWN = ("attribute_set_code", "store_view_code", "product_websites", "additional_attributes", "configurable_variations")
_VIEW, _SPECS, _VARIATIONS, _ASSOCIATED = (
    "store_view_code",
    "additional_attributes",
    "configurable_variations",
    "associated_skus",
)
_ONLINE = re.compile(r"[02](?:\.0+)?")
# Codes that say how the shop sells and shows a product, and numbers that name it elsewhere.
_SYSTEM = re.compile(
    r"sku|name|(short_)?description|additional_attributes|categories|category_ids|product_(type|websites|online|options_container)|visibility|"
    r"store(_view_code|_id)?|attribute_set(_code|_id)?|status|type_id|entity_id|weight|(weight|sku|price|shipment)_type|price_view|"
    r"tax_class(_name|_id)|url_(key|path)|meta_.*|(base|small|swatch|additional)_image.*|image(_label)?|thumbnail.*|media_gallery|"
    r"gallery|(created|updated)_at|news?_(from|to)_date|special_.*|display_product_options_in|map_(price|enabled)|msrp.*|price|cost|"
    r"tier_price.*|minimal_price|gift_(message|wrapping).*|giftcard_.*|custom_(design|layout|options).*|page_layout|"
    r"options_container|(has|required)_options|quantity_and_stock_status|qty|out_of_stock_qty|use_config_.*|backorders|stock_.*|"
    r"is_(qty_decimal|decimal_divided|in_stock|recurring|returnable|redeemable)|allow_(backorders|message|open_amount)|_.*|"
    r"(min|max)_cart_qty|min_qty|notify_on_stock_below|manage_stock|(enable_)?qty_increments|website_id|hide_from_product_page|"
    r"(related|crosssell|upsell|bundle|grouped|configurable|downloadable|links|ts|open_amount)_.*|associated_skus|samples_title|"
    r"deferred_stock_update|email_template|lifetime|barcode|ean|gtin|upc|mpn|asin|isbn",
    re.IGNORECASE,
)
_KNOWN = (
    "color",
    "colour",
    "size",
    "manufacturer",
    "brand",
    "material",
    "gender",
    "pattern",
    "style",
    "country_of_manufacture",
)
_CHILD = re.compile(r"(?:^|[|])sku=(?P<sku>.*?)(?P<values>(?:,[A-Za-z]\w*=.*?)*)(?=[|]sku=|$)", re.DOTALL)
_SWITCH = {"", "yes", "no", "0", "1"}
_TEXT = re.compile(r"(?!https?:|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|[{\[<]).*[^\W\d_]", re.DOTALL)
_MARK = re.compile(r"(?<!\\)[,|]")
_NODE = re.compile(r"[^,|/]*")
MOST_ROOTS = 4  # a shop has one root or a few; paths with more first nodes were written without a root
LONGEST = 60  # characters of a value in a column that is an attribute's


def recognise(head: Head) -> Evidence | None:
    """Recognise the export by columns that no other platform has."""
    return head.evidence(*_TYPICAL) if head.present("sku") and head.present(*_OWN) else None


def options(head: Head) -> Mapping[str, Any]:
    """Return the options; the group is written into the column that ties a product's rows, which nothing else needs."""
    texts = {"Description": head.present("description"), "Short description": head.present("short_description")}
    online, visibility = head.present("product_online"), head.present("visibility")
    status = {online: ["disabled"], visibility: ["Not Visible Individually"]}
    return {
        "id": head.present("sku"),
        "title": head.present("name"),
        "category": head.present("categories"),
        "separator": "/",
        "several": [",", "|"],
        "root": "cut",
        "group": head.present(_VARIATIONS, _ASSOCIATED, "sku"),
        "texts": {label: column for label, column in texts.items() if column},
        "attributes": {column: column for column in head.columns if _is_attribute(column, head)},
        "specs": head.present(_SPECS) or [],
        "status": {column: words for column, words in status.items() if column},
    }


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say where nothing ties the children of configurable products to them."""
    untied = "group" not in head.given and not head.present(_VARIATIONS)
    return [
        f"no column {_VARIATIONS!r}: products that are variants of one are not tied and may be in training and in the test "
        "split; export that column, too, or name one with --option group=COLUMN"
    ] * untied


def _is_attribute(column: str, head: Head) -> bool:
    code = column.strip().casefold()
    values = [cell for row in head.rows if (cell := row.get(column, "").strip())]
    if code in _KNOWN:
        return True
    if not re.fullmatch(r"[a-z][a-z0-9_]*", code) or _SYSTEM.fullmatch(code) or not values:
        return False
    texts = (len(value) <= LONGEST and value.casefold() not in _SWITCH and _TEXT.match(value) for value in values)
    return all(texts)


@dataclass(slots=True)
class _Ties:
    """Which product the rows of another one belong to, by SKU; the roots that paths begin with; the store view of whole rows."""

    children: dict[str, str] = field(default_factory=dict)
    associated: dict[str, str] = field(default_factory=dict)
    roots: set[str] = field(default_factory=set)
    view: str | None = None

    def product(self, sku: str) -> str:
        """Return the SKU of the product whose group a row is in."""
        parent = self.children.get(sku, sku)
        return self.associated.get(parent, parent)


def _names(path: Path, encoding: str | None) -> dict[str, str]:
    first = head(path, encoding)
    return {
        name: first.present(name) or name
        for name in ("sku", _VIEW, _VARIATIONS, _ASSOCIATED, "product_online", "visibility")
    }


@lru_cache(2)
def _ties(stats: tuple[tuple[Path, int], ...], encoding: str | None, category: str) -> _Ties:
    """Read the files once; memory grows with the number of children."""
    ties = _Ties()
    for path, _ in stats:
        names = _names(path, encoding)
        for _, cells in table_rows(path, (), encoding):
            if isinstance(cells, Outcome):
                continue
            sku, view = cells[names["sku"]].strip(), cells[names[_VIEW]].strip()
            ties.view = view if ties.view is None or not view else ties.view
            ties.children |= {
                child: sku for child, _ in _children(cells[names[_VARIATIONS]]) if child not in ties.children
            }
            for piece in filter(str.strip, cells[names[_ASSOCIATED]].split(",")):
                ties.associated.setdefault((piece.rpartition("=")[0] or piece).strip(), sku)
            root, slash, _ = cells[category].partition("/")
            if slash and len(ties.roots) < MOST_ROOTS:
                ties.roots.add(root.strip())
    return ties


def _children(cell: str) -> Iterator[tuple[str, str]]:
    """Yield SKU and ``code=value`` pairs of a configurable product's children.

    >>> list(_children("sku=A-1,size=S,color=Ash|sku=A-2"))
    [('A-1', 'size=S,color=Ash'), ('A-2', '')]
    """
    for match in _CHILD.finditer(cell):
        yield match["sku"].strip(), match["values"].lstrip(",")


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows with attributes as JSON, one key in all rows of a product, and no title where they are a part of one."""
    stats = tuple((path, path.stat().st_mtime_ns if path.is_file() else 0) for path in paths)
    ties = _ties(stats, columns.encoding, columns.category[0] if len(columns.category) == 1 else "")
    for path in paths:
        names = _names(path, columns.encoding)
        for where, cells in table_rows(path, columns.needed, columns.encoding):
            yield where, cells if isinstance(cells, Outcome) else _formed(cells, names, columns, ties)


def _formed(cells: Cells, names: Mapping[str, str], columns: Columns, ties: _Ties) -> Cells:
    sku, changed = cells[names["sku"]].strip(), dict[str, str]()
    if cells[names[_VIEW]].strip() != ties.view:
        # A translation: its attributes are the product's in another language.
        changed = dict.fromkeys((columns.title, *columns.attributes.values(), *columns.specs), "")
    else:
        if sku in ties.children:
            # It is published as a part of its product.
            changed |= {names["visibility"]: ""} | ({columns.title: ""} if columns.variants is None else {})
        for column in columns.specs:
            variants = _children(cells[names[_VARIATIONS]]) if column == columns.specs[0] else ()
            changed[column] = _stated([cells[column], *(values for _, values in variants)], columns.asked)
    for column in columns.category:
        changed[column] = _paths(cells[column], ties.roots)
    if columns.group in (names[_VARIATIONS], names[_ASSOCIATED], names["sku"]):
        changed[columns.group] = ties.product(sku)
    online = names["product_online"]
    if online in columns.status:
        changed[online] = "disabled" if _ONLINE.fullmatch(cells[online].strip()) else cells[online]
    return Sparse({**cells, **changed})


def _stated(cells: Sequence[str], asked: Sequence[str]) -> str:
    """Return the attributes of cells of ``code=value`` pairs as JSON, without those that no one asks for."""
    stated: dict[str, dict[str, None]] = {}
    for cell in filter(str.strip, cells):
        for code, values in parse_specs(cell).items():
            switch = all(value.casefold() in _SWITCH or "://" in value for value in values)
            if code in asked or not (switch or _SYSTEM.fullmatch(code)):
                stated.setdefault(code, {}).update(dict.fromkeys(values))
    named = [{"name": code, "value": [*values]} for code, values in stated.items()]
    return json.dumps(named, ensure_ascii=False) if named else ""


def _paths(cell: str, roots: Collection[str]) -> str:
    r"""Return a cell of categories with the commas escaped that are parts of names.

    >>> _paths("Root/Pots, pans,Root/Sale", {"Root"}), _paths("A/B,C/D", {"A", "C"}), _paths("A,B", set())
    ('Root/Pots\\, pans,Root/Sale', 'A/B,C/D', 'A,B')
    """
    start, made, known = 0, "", 0 < len(roots) < MOST_ROOTS
    for mark in _MARK.finditer(cell) if known else ():
        node = _NODE.match(cell, mark.end())
        # The exporter joins paths without a blank; of several roots, one may stand only behind others.
        joined = (len(roots) == 1 or cell[mark.end() : mark.end() + 1] == " ") and (
            not node or node[0].strip() not in roots
        )
        made += cell[start : mark.start()] + "\\" * joined + mark[0]
        start = mark.end()
    return made + cell[start:]
