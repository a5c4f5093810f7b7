"""The attributes of a product: from columns, from numbered pairs of columns, and from columns that hold many of them."""

from collections.abc import Sequence
from typing import NamedTuple

from converters.schema import Text
from converters.sources.catalog.cells import Values, parse_specs
from converters.sources.catalog.columns import Columns
from converters.sources.catalog.products import Product
from converters.text.html import untagged
from converters.text.matching import occurs
from converters.text.sanitize import one_line

Notes = tuple[str, ...]


class Stated(NamedTuple):
    """Attributes with their values, the names of those that the texts only imply, and notes on what was left out."""

    values: Values
    implicit: tuple[str, ...]
    notes: Notes


def attributes(product: Product, columns: Columns, texts: Sequence[Text]) -> Stated:
    """Return the attributes of a product that its texts state."""
    values, notes = _all(product, columns)
    text = one_line(" ".join(text.text for text in texts))
    absent = tuple(name for name, stated in values.items() if not all(occurs(value, text, True) for value in stated))
    if columns.implicit:
        return Stated(values, absent, notes)
    notes += ("attribute left out: its value is not in the text",) * len(absent)
    return Stated({name: stated for name, stated in values.items() if name not in absent}, (), notes)


def _all(product: Product, columns: Columns) -> tuple[Values, Notes]:
    """Return the values of a row's attributes, and notes; where columns and specs differ, those of the first in order count."""
    cells = product.cells
    texts = {name: one_line(untagged(cells[column])) for name, column in columns.attributes.items()}
    values: dict[str, Values] = {"columns": {name: (text,) for name, text in texts.items() if text}, "specs": {}}
    notes: Notes = ()
    for column in columns.specs:
        if cells[column].strip():
            specs = parse_specs(cells[column])
            values["specs"] = {name: specs[name] for name in specs if not columns.asked or name in columns.asked}
            notes = () if specs else ("specs left out: neither JSON nor a Ruby hash nor 'key: value'",)
    first, second = (values[name] for name in columns.order)
    folded = [{name: {*map(str.casefold, texts)} for name, texts in part.items()} for part in (first, second)]
    differ = sum(folded[0][name] != folded[1][name] for name in first.keys() & second)
    notes += (f"attribute in {columns.order[0]} and, differing, in {columns.order[1]}: the first counts",) * differ
    return values["columns"] | values["specs"] | first, notes
