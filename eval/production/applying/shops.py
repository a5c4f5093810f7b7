r"""What was predicted as a file that a shop's platform imports: its own columns of category and attributes, a line a product.

* ``shopify``: ``Handle``, ``Title``, ``Product Category`` (or ``Type``, where training took categories from there); the attribute
  Brand as ``Vendor``, any other as a metafield, ``Color (product.metafields.custom.color)``. An import overwrites products of the
  same handle, and leaves other columns alone.
* ``woocommerce``: ``ID`` or ``SKU``, ``Name``, ``Categories`` (``\,`` is a comma in a name), numbered attributes; an import with
  "update existing products" finds products by id or SKU, and puts these attributes in the place of those that a product has.

A blank cell of an import takes away what the shop has. So where nothing was predicted, or a person has to look at it, stands what
the catalogue has in that column, and a product of which nothing is taken is left out.
Format: help.shopify.com, "Using CSV files to import and export products"; woocommerce.com, "Product CSV importer and exporter".
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from converters.core.errors import InputError, nearest
from converters.io.jsonl import replacing
from eval.production.applying.decisions import REVIEW
from eval.production.applying.labels import Label
from eval.production.applying.learnt import Names
from eval.production.applying.own import Line, Own, cell_text
from eval.production.applying.tables import Write

BRAND, CATEGORY, OTHERS = "brand", "Product Category", ("Type", "Google Shopping / Google Product Category")
NUMBERED = "Attribute "  # columns that belong to another attribute in each product
FORMULA = re.compile(r"[=+\-@]")
Row = Callable[[Label, str], dict[str, str]]


def _shopify(names: Names, trained: Mapping[str, Any]) -> tuple[list[str], Row]:
    column = str(trained["category"]) if trained.get("category") in OTHERS else CATEGORY
    fields = {
        name: "Vendor" if name.casefold() == BRAND else f"{name} (product.metafields.custom.{_key(name)})"
        for name in names
    }

    def row(label: Label, title: str) -> dict[str, str]:
        found = {fields[name]: "; ".join(values) for name, values in label.values.items() if values}
        return {"Handle": label.id, "Title": title, column: label.category or "", **found}

    return ["Handle", "Title", column, *dict.fromkeys(fields.values())], row


def _key(name: str) -> str:
    """Return an attribute's name as the key of a metafield.

    >>> _key("Neck style"), _key("容量")
    ('neck_style', '容量')
    """
    return re.sub(r"\W+", "_", name).strip("_").casefold()


def _woocommerce(names: Names, trained: Mapping[str, Any]) -> tuple[list[str], Row]:
    numbered = [
        f"Attribute {number} {part}"
        for number in range(1, len(names) + 1)
        for part in ("name", "value(s)", "visible", "global")
    ]

    def row(label: Label, title: str) -> dict[str, str]:
        number = label.id.removeprefix("id:")
        cells = {"ID" if number != label.id else "SKU": number, "Name": _protected(title)}
        stated = ((name, values) for name, values in label.values.items() if values)
        for place, (name, values) in enumerate(stated, 1):
            keys = (f"Attribute {place} {part}" for part in ("name", "value(s)", "visible", "global"))
            cells |= dict(zip(keys, (name, ", ".join(map(_escaped, values)), "1", "0"), strict=True))
        return {**cells, "Categories": _escaped(label.category or "")}

    return ["ID", "SKU", "Name", "Categories", *numbered], row


def _escaped(text: str) -> str:
    return _protected(text.replace(",", "\\,"))


def _protected(text: str) -> str:
    """Return a text as WooCommerce writes one that a spreadsheet would take for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


FORMS = {"shopify": _shopify, "woocommerce": _woocommerce}


def check(form: str | None, out: Path) -> None:
    """Raise an ``InputError`` for an unknown platform, or an ending that it does not import."""
    if form is not None and form not in FORMS:
        raise InputError(f"--as {form}: unknown platform{nearest(form, list(FORMS))}")
    if form is not None and out.suffix != ".csv":
        raise InputError(f"--as {form}: expected --out with the ending .csv, found {out.name}")


@contextmanager
def writing(out: Path, form: str, own: Own, names: Names, trained: Mapping[str, Any]) -> Iterator[Write]:
    """Yield what writes the line of a product, for its other rows nothing.

    ``names`` are all attributes, ``trained`` the options that training's catalogue was read with.
    """
    columns, row = FORMS[form](names, trained)
    kept = {name for name in columns if not name.startswith(NUMBERED)}
    with replacing(out) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        table = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
        table.writeheader()

        def write(line: Line) -> None:
            taken = _taken(line.label)
            if line.where == line.label.where and (taken.category or any(taken.values.values())):
                had = {
                    name: cell_text(cell) for name, cell in zip(own.distinct, line.values, strict=True) if name in kept
                }
                found = {name: cell for name, cell in row(taken, own.title(line)).items() if cell}
                table.writerow({**had, **found})

        yield write
        text.detach()


def _taken(label: Label) -> Label:
    """Return a label without what a person has to look at."""
    values = {name: values for name, values in label.values.items() if label.decisions.get(name) != REVIEW}
    category = None if label.path_decision == REVIEW else label.category
    return msgspec.structs.replace(label, category=category, values=values)
