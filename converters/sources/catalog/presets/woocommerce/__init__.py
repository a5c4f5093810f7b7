r"""WooCommerce's product export in any language, and the products of its REST answer.

Headers of the export are translated, the values of ``Type`` and the order of the columns are not: the columns are found by their
English names, else by what they hold and where they stand. Where title or category stay unknown, the user is asked.

* Several categories are parted by ``,`` (``\,`` is a comma), nodes by ``>``; ancestors are dropped.
* Attributes have the names that each row gives; a list is parted at ``,``. ``Meta:`` columns and downloads are none.
* A variation (``Parent`` holds a SKU or ``id:N``) is merged into its parent; ``variants: N`` keeps up to N rows of a product. If
  the parent is not in the file, its variations are one product. Without that column, its name ties a variation to its parent.
* ``\n`` in texts is a line break, ``\\n`` is not; the ``'`` before ``= + - @`` is taken off.
* Private, draft, pending and hidden products are counted as not published. A product without SKU has the id ``id:N``.
* REST: categories are names without a path; ``parent_id`` is the group.

It cannot tell an unescaped comma inside a category's name from two categories, and it does not tie grouped products, upsells and
cross-sells together.
Format: woocommerce/woocommerce, class-wc-product-csv-exporter.php and abstract-wc-csv-exporter.php (9.9), REST API v3.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head, head
from converters.sources.catalog.presets.woocommerce.roles import (
    REFERENCE,
    has_variations,
    is_variation,
    pairs_of,
    roles_of,
    whole,
)

TITLE = "a WooCommerce product export"
_TYPICAL = ("id", "type", "sku", "title", "published", "description", "category", "images", "parent")
_REST = ("id", "name", "slug", "description", "categories", "attributes")
_OTHERS = ("attribute_set_code", "store_view_code", "Handle", "URL handle")  # columns of other platforms
_PRODUCT = "(product)"  # the column that ties variations to products in a file without that of parents
_STATUS = {"0": "private", "-1": "draft", "2": "pending"}
_PROTECTED = re.compile(r"\A'(?=[=+\-@\t\r])")
_BREAK = re.compile(r"\\\\n|\\n")
_COMMA = re.compile(r"(?<!\\),")


def recognise(head: Head) -> Evidence | None:
    """Recognise an export by its types, a REST answer by its lists of categories and attributes."""
    if head.present(*_OTHERS):
        return None
    if _is_rest(head):
        return head.evidence(*_REST)
    roles = roles_of(head)
    if not roles:
        return None
    roles |= {role: "" for role in ("title", "category") if role in head.given}
    found = sum(role in roles for role in _TYPICAL)
    # Without these two the rest is no use: few enough for the user to be asked.
    return Evidence(found if {"title", "category"} <= {*roles} else min(found, len(_TYPICAL) // 2), len(_TYPICAL))


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say what a REST answer lacks, and what ties variations where no column does."""
    named = _is_rest(head) and options["category"] == "categories"
    lines = ["the answer's categories are names without their parents: no path is known, each is one node"] * named
    tied = options.get("group") == _PRODUCT
    return lines + ["no column of parents: a variation belongs to the product with whose name its own begins"] * tied


def options(head: Head) -> Mapping[str, Any]:
    """Return the options, with the columns as this file's language names them."""
    if _is_rest(head):
        return _rest_options(head)
    roles = roles_of(head)
    texts = {"Description": roles.get("description"), "Short description": roles.get("short")}
    status = {roles.get("published"): list(_STATUS.values()), roles.get("visibility"): ["hidden"]}
    found = {
        "id": roles.get("sku") or roles.get("id"),
        "title": roles.get("title"),
        "category": roles.get("category"),
        "separator": ">",
        "several": ",",
        "texts": {label: column for label, column in texts.items() if column},
        "attributes": {"Brand": roles["brand"]} if "brand" in roles else {},
        "pairs": pairs_of(head),
        "group": roles.get("parent") or (_PRODUCT if has_variations(head, roles) else None),
        "variants": 1,
        "status": {column: words for column, words in status.items() if column},
    }
    return {name: value for name, value in found.items() if value is not None or name == "category"}


def _rest_options(head: Head) -> Mapping[str, Any]:
    texts = {"Description": "description", "Short description": "short_description"}
    status = {"status": ["draft", "pending", "private"], "catalog_visibility": ["hidden"]}
    return {
        "id": head.present("sku", "id"),
        "title": "name",
        "category": "categories",
        "texts": {label: column for label, column in texts.items() if column in head.columns},
        "attributes": {"Brand": "brands"} if "brands" in head.columns else {},
        "specs": "attributes",
        "group": head.present("parent_id"),
        "variants": 1,
        "status": {column: words for column, words in status.items() if column in head.columns},
    }


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows with texts, lists and attributes in the common form, and one key in all rows of a product."""
    files = [(path, _head(path, columns.encoding)) for path in paths]
    stats = tuple((path, path.stat().st_mtime_ns if path.is_file() else 0) for path in paths)
    skus = _skus(stats, columns.encoding) if columns.group else {}
    skus = _names(stats, columns.encoding, columns.title) if columns.group == _PRODUCT else skus
    needed = [column for column in columns.needed if column != _PRODUCT]
    for path, first in files:
        form = _rest_form(columns) if _is_rest(first) else _form(roles_of(first), columns, skus)
        for where, cells in table_rows(path, needed, columns.encoding):
            yield where, cells if isinstance(cells, Outcome) else form(cells)


def _head(path: Path, encoding: str | None) -> Head:
    return replace(head(path, encoding), given={"encoding": encoding})


def _form(roles: Mapping[str, str], columns: Columns, skus: Mapping[str, str]) -> Callable[[Cells], Cells]:
    """Return what brings a row into the common form; ``skus`` are keys of parents, by what children name them, or by names."""
    texts = set(columns.texts.values())
    lists = {*columns.pairs.values(), *columns.attributes.values()} - texts
    plain = dict.fromkeys(columns.needed)
    sku, number, kind, published = (roles.get(role, "") for role in ("sku", "id", "type", "published"))

    def form(cells: Cells) -> Cells:
        made = {name: cell for name in plain if (cell := _PROTECTED.sub("", cells[name]))}
        made |= {name: _BREAK.sub(_broken, made[name]) for name in texts if "\\n" in made.get(name, "")}
        made |= {name: _listed(made[name]) for name in lists if name in made}
        own = _own(cells, sku, number)
        if columns.id == sku:
            made[sku] = own
        if columns.group and columns.group == roles.get("parent"):
            # A product of another type may hold a parent that it had as a variation.
            varies = not kind or is_variation(cells[kind])
            parent = whole(made.get(columns.group, "")) if varies else ""
            key = REFERENCE.sub(r"id:\1", parent) or own
            made[columns.group] = skus.get(key, key)
        elif columns.group == _PRODUCT:
            made[_PRODUCT] = _named(cells[columns.title].strip(), skus) if is_variation(cells[kind]) else own
        if published in made:
            made[published] = _STATUS.get(whole(made[published]), made[published])
        return Sparse(made)

    return form


def _own(cells: Cells, sku: str, number: str) -> str:
    """Return a row's SKU, or its id as variations name it."""
    return whole(_PROTECTED.sub("", cells[sku])) or (f"id:{whole(cells[number])}" if cells[number] else "")


def _named(name: str, keys: Mapping[str, str]) -> str:
    """Return the key of the product of a variation called "Product - Value, Value"; nothing if none is called so.

    >>> _named("Tee - Long - Red", {"Tee": "1", "Tee - Long": "2"}), _named("Tee", {"Tee": "1"})
    ('2', '')
    """
    ends = [found.start() for found in re.finditer(" - ", name)]
    return next((keys[name[:end]] for end in reversed(ends) if name[:end] in keys), "")


@lru_cache(2)
def _names(stats: tuple[tuple[Path, int], ...], encoding: str | None, title: str) -> Mapping[str, str]:
    """Return the keys of all products with variations by their names; memory grows with their number."""
    files = [(path, roles_of(_head(path, encoding))) for path, _ in stats]
    return {
        cells[title].strip(): _own(cells, roles.get("sku", ""), roles.get("id", ""))
        for path, roles in files
        for _, cells in table_rows(path, (), encoding)
        if not isinstance(cells, Outcome) and cells[roles.get("type", "")].strip().casefold().startswith("variable")
    }


def _broken(found: re.Match[str]) -> str:
    return "\n" if found[0] == r"\n" else r"\n"


def _listed(cell: str) -> str:
    r"""Return the values of a list as JSON, one value as it is.

    >>> _listed(r"1\,5 l"), _listed(r"Clear, 2\,5 mm")
    ('1,5 l', '["Clear", "2,5 mm"]')
    """
    values = [text for part in _COMMA.split(cell) if (text := part.replace("\\,", ",").strip())]
    plain = len(values) == 1 and not values[0].startswith(("[", "{"))
    return values[0] if plain else json.dumps(values, ensure_ascii=False) if values else ""


@lru_cache(2)  # what is surveyed is read again
def _skus(stats: tuple[tuple[Path, int], ...], encoding: str | None) -> Mapping[str, str]:
    """Return ``id:N`` to the SKU of a parent that has one; an export names it by its SKU, files edited by hand by both."""
    tables = ((path, roles_of(_head(path, encoding))) for path, _ in stats)
    files = [(path, roles) for path, roles in tables if {"id", "sku", "parent"} <= {*roles}]
    named = {
        found[0]
        for path, roles in files
        for _, cells in table_rows(path, (), encoding)
        if not isinstance(cells, Outcome) and (found := REFERENCE.fullmatch(cells[roles["parent"]].strip()))
    }
    numbers = {name.partition(":")[2].strip() for name in named}
    return {
        f"id:{number}": sku
        for path, roles in files * bool(numbers)
        for _, cells in table_rows(path, (), encoding)
        if not isinstance(cells, Outcome)
        and (number := whole(cells[roles["id"]])) in numbers
        and (sku := whole(cells[roles["sku"]]))
    }


def _rest_form(columns: Columns) -> Callable[[Cells], Cells]:
    def form(cells: Cells) -> Cells:
        changed: dict[str, str] = {}
        for name in columns.category:
            # Every category is a path of one node.
            names = [[item["name"]] for item in _objects(cells[name])]
            changed |= {name: json.dumps(names, ensure_ascii=False)} if names else {}
        for name in columns.specs:
            stated = [
                {"name": item["name"], "value": item.get("options", item.get("option"))}
                for item in _objects(cells[name])
            ]
            changed |= {name: json.dumps(stated, ensure_ascii=False) if stated else cells[name].removeprefix("[]")}
        for name in columns.attributes.values():
            texts = [item["name"] for item in _objects(cells[name])]
            changed |= {name: json.dumps(texts, ensure_ascii=False)} if texts else {}
        if columns.id == "sku" and not cells["sku"]:
            changed["sku"] = f"id:{cells['id']}"
        if columns.group == "parent_id" and cells["parent_id"] in ("", "0"):
            changed["parent_id"] = cells["id"]
        return Sparse({**cells, **changed})

    return form


def _objects(cell: str) -> list[dict[str, Any]]:
    """Return the objects with a name in a JSON list."""
    with suppress(ValueError, RecursionError):
        items = json.loads(cell) if cell.startswith("[") else []
        return [item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)]
    return []


def _is_rest(head: Head) -> bool:
    """Tell whether categories are objects with a name, and an id or slug."""
    if not {"name", "categories"} <= {*head.columns}:
        return False
    return any({"id", "slug"} & {*item} for row in head.rows for item in _objects(row.get("categories", "")))
