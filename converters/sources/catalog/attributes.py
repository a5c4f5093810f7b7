"""The attributes of a product: from columns, from numbered pairs of columns, and from columns that hold many of them.

An answer is a value that stands in the product's texts, as they spell it. What does not is left out and counted by the
attribute's name, so that the account tells which columns cannot be learnt from text.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from converters.schema import Text
from converters.sources.catalog.columns import Columns
from converters.sources.catalog.products import Product
from converters.sources.catalog.specs import Values, parse_specs
from converters.sources.catalog.values import cell_values, no_value
from converters.text import units
from converters.text.html import untagged
from converters.text.sanitize import one_line
from converters.text.spelling import spelling

Notes = tuple[str, ...]
MOST_NAMES = 200  # that an account names; specs may have thousands


class Stated(NamedTuple):
    """Attributes with their values, the names of those that the texts only imply, and notes on what was left out."""

    values: Values
    implicit: tuple[str, ...]
    notes: Notes


def attributes(product: Product, columns: Columns, texts: Sequence[Text], named: set[str]) -> Stated:
    """Return the attributes of a product that its texts state.

    ``named`` holds the attributes that notes name; the names of further ones are added as they come, up to ``MOST_NAMES``.
    """
    read, notes = _read(product, columns)
    text = one_line(" ".join(text.text for text in texts))
    values: Values = {}
    implicit: list[str] = []
    for name, given in read.items():
        known = [value for value in given if not no_value(value, name, text)]
        spelt = [_spelling(name, value, text) for value in known]
        stated = tuple(dict.fromkeys(value for value in spelt if value))
        called = _called(name, named) if len(known) < len(given) or None in spelt else ""
        if len(known) < len(given):
            notes += (f"{called}: a word for 'none' is no value",) * (len(given) - len(known))
        if columns.implicit and known:
            values[name] = tuple(dict.fromkeys(found or value for found, value in zip(spelt, known, strict=True)))
            implicit += [name] * (None in spelt)
        elif stated:
            values[name] = stated
            notes += (f"{called}: a value left out that is not in the text",) * spelt.count(None)
        elif known:
            notes += (f"{called} left out: its value is not in the text",)
    return Stated(values, tuple(implicit), notes)


def _called(name: str, named: set[str]) -> str:
    if name not in named and len(named) < MOST_NAMES:
        named.add(name)
    return f"attribute {name[:60]!r}" if name in named else f"attribute beyond the first {MOST_NAMES} names"


def _spelling(name: str, value: str, text: str) -> str | None:
    found = spelling(value, text) or units.spelling(value, text)
    # A handle such as size-10 without its number would be the attribute's own name.
    return (
        found if found is None or found.casefold() != name.casefold() or value.casefold() == name.casefold() else None
    )


def _read(product: Product, columns: Columns) -> tuple[Values, Notes]:
    """Return the values of a product's attributes, and notes; where columns and specs differ, the first in order counts."""
    paired, notes = _pairs(product, columns), Notes()
    taken = {**{value: name for name, value in columns.pairs.items()}}
    cells: list[tuple[str, Iterable[str]]] = list(paired)
    for name, column in columns.attributes.items():
        if column in taken and any(row[taken[column]].strip() for row in product.all_cells):
            notes += (f"attribute {name[:60]!r} is not read: {column!r} holds the value that {taken[column]!r} names",)
        else:
            cells.append((name, _column(product, columns, name, column)))
    specs, unread = _specs(product, columns)
    values = {"columns": _united(cells), "specs": specs}
    first, second = (values[name] for name in columns.order)
    folded = [{name: {*map(str.casefold, texts)} for name, texts in part.items()} for part in (first, second)]
    differ = sum(folded[0][name] != folded[1][name] for name in first.keys() & second)
    notes += (f"attribute in {columns.order[0]} and, differing, in {columns.order[1]}: the first counts",) * differ
    return values["columns"] | values["specs"] | first, notes + unread


def _pairs(product: Product, columns: Columns) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield names and values of the pairs of columns, in each row those of the row itself."""
    for cells in product.all_cells:
        for name, value in columns.pairs.items():
            if cells[name].strip() and cells[value].strip():
                yield one_line(untagged(cells[name])), cell_values(cells[value], columns.values)


def _column(product: Product, columns: Columns, name: str, column: str) -> Iterator[str]:
    unit = columns.units.get(name)
    for cells in product.all_cells:
        if cells[column].strip():
            given = cells[unit].strip() if unit else ""
            yield from (
                units.measure(value, given) if given else value for value in cell_values(cells[column], columns.values)
            )


def _specs(product: Product, columns: Columns) -> tuple[Values, Notes]:
    notes: Notes = ()
    pairs: list[tuple[str, tuple[str, ...]]] = []
    for column in columns.specs:
        for cell in dict.fromkeys(cells[column] for cells in product.all_cells if cells[column].strip()):
            specs = parse_specs(cell)
            pairs += ((name, values) for name, values in specs.items() if not columns.asked or name in columns.asked)
            notes += () if specs else ("specs left out: no form of specs that is known",)
    return _united(pairs), notes


def _united(pairs: Iterable[tuple[str, Iterable[str]]]) -> Values:
    """Return the values of each name, in order; names and values that differ in case alone are one."""
    names: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    for name, texts in pairs:
        own = values.setdefault(names.setdefault(name.casefold(), name), {})
        for text in texts:
            own.setdefault(text.casefold(), text)
    return {name: tuple(own.values()) for name, own in values.items() if name and own}
