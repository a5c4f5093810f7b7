"""The attributes of a product: from columns, from numbered pairs of columns, and from columns that hold many of them.

An answer is a value that stands in the product's texts, as they spell it. What does not is left out and counted by the
attribute's name, so that the account tells which columns cannot be learnt from text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from converters.schema import Text
from converters.sources.catalog.attributes.specs import Values, parse_specs
from converters.sources.catalog.attributes.values import cell_values, no_value
from converters.sources.catalog.columns import Columns
from converters.sources.catalog.products import Product
from converters.text import units
from converters.text.html import untagged
from converters.text.sanitize import one_line
from converters.text.spelling import spelling

Notes = tuple[str, ...]
MOST_NAMES = 200  # that an account names; specs may have thousands
NOTHING = "is not read: its cell holds a word for none"
PARTLY = "keeps the values in the text: another one is not in it"
UNNAMED = "attribute value left out: the column of its name is blank"
ABSENT = "left out: its value is not in the text"


class Known(NamedTuple):
    """What is known of an entry: the attributes that notes name, to which new ones are added up to a bound, and forms of specs.

    ``forms`` is by column, see :mod:`converters.sources.catalog.attributes.spec_lists`.
    """

    named: set[str]
    forms: Mapping[str, str]

    @classmethod
    def of(cls, columns: Columns, forms: Mapping[str, str]) -> "Known":
        """Return what is known before the first product: the names that the options give."""
        return cls({*columns.attributes, *columns.asked}, forms)


class Stated(NamedTuple):
    """Attributes with their values, the names of those that the texts only imply, and notes on what was left out.

    ``absent`` are those left out, none of whose values stands in the texts.
    """

    values: Values
    implicit: tuple[str, ...]
    notes: Notes
    absent: tuple[str, ...] = ()


def attributes(product: Product, columns: Columns, texts: Sequence[Text], known: Known | None = None) -> Stated:
    """Return the attributes of a product that its texts state."""
    known = known or Known.of(columns, {})
    read, notes = _read(product, columns, known.forms)
    text = one_line(" ".join(text.text for text in texts))
    values: Values = {}
    implicit, absent = list[str](), list[str]()
    for name, given in read.items():
        told = [value for value in given if not no_value(value, name, text)]
        spelt = [_spelling(name, value, text) for value in told]
        stated = _once(filter(None, spelt))
        reasons = (NOTHING,) * (len(given) - len(told))
        if columns.implicit and told:
            values[name] = _once(found or value for found, value in zip(spelt, told, strict=True))
            implicit += [name] * (None in spelt)
        elif stated:
            values[name] = stated
            reasons += (PARTLY,) * spelt.count(None)
        elif told:
            absent.append(name)
            reasons += (ABSENT,)
        notes += tuple(f"{_called(name, known.named)} {reason}" for reason in reasons)
    return Stated(values, tuple(implicit), notes, tuple(absent))


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each text once in whatever case, as it is written first: an option "Sky Blue" and a handle "sky-blue" are one."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(text.casefold(), text)
    return tuple(first.values())


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


def _read(product: Product, columns: Columns, forms: Mapping[str, str]) -> tuple[Values, Notes]:
    """Return the values of a product's attributes, and notes; where columns and specs differ, the first in order counts."""
    paired, notes = _pairs(product, columns), Notes()
    taken = {value: name for name, value in columns.pairs.items()}
    cells: list[tuple[str, Iterable[str]]] = list(paired)
    for name, column in columns.attributes.items():
        if column in taken and any(row[taken[column]].strip() for row in product.all_cells):
            notes += (f"attribute {name[:60]!r} is not read: {column!r} holds the value that {taken[column]!r} names",)
        else:
            cells.append((name, _column(product, columns, name, column)))
    notes += (UNNAMED,) * _unnamed(product, columns)
    specs, unread = _specs(product, columns, forms)
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


def _unnamed(product: Product, columns: Columns) -> int:
    """Return how many values of pairs have no name in a row of their own title."""
    cells, read = product.cells, {*columns.attributes.values()}
    pairs = [(name, value) for name, value in columns.pairs.items() if value not in read]
    return sum(bool(cells[value].strip()) and not cells[name].strip() for name, value in pairs)


def _column(product: Product, columns: Columns, name: str, column: str) -> Iterator[str]:
    unit = columns.units.get(name)
    for cells in product.all_cells:
        if cells[column].strip():
            given = cells[unit].strip() if unit else ""
            yield from (
                units.measure(value, given) if given else value for value in cell_values(cells[column], columns.values)
            )


def _specs(product: Product, columns: Columns, forms: Mapping[str, str]) -> tuple[Values, Notes]:
    notes: Notes = ()
    pairs: list[tuple[str, tuple[str, ...]]] = []
    for column in columns.specs:
        for cell in dict.fromkeys(cells[column] for cells in product.all_cells if cells[column].strip()):
            specs = parse_specs(cell, forms.get(column, ""))
            pairs += ((name, values) for name, values in specs.items() if not columns.asked or name in columns.asked)
            notes += () if specs else ("specs left out: no form of specs that is known",)
    return _united(pairs), notes


def _united(pairs: Iterable[tuple[str, Iterable[str]]]) -> Values:
    """Return the values of each name, in order; names and values that differ in case alone are one."""
    names: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, texts in pairs:
        values.setdefault(names.setdefault(name.casefold(), name), []).extend(texts)
    return {name: _once(own) for name, own in values.items() if name and own}
