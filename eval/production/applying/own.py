"""The shop's own rows as they are written: every column in its order, every value to the byte.

A table's cells are texts, a JSON row's values are the very JSON that stands in the file, those of Parquet keep their types. Data
that is no list of rows (XML, schema.org's graphs) is shown by the id and the title of each product.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from converters.core.errors import InputError
from converters.io import json_values, parquet
from converters.io.delimited import distinct_names, records
from converters.io.tables import is_delimited, plain
from converters.io.xml import is_xml
from converters.schema import Outcome
from eval.production.applying.catalog import Catalog, row_number
from eval.production.applying.labels import Label, Labels

NESTED = ("schema_org",)  # presets in whose files a row is no product
ID_AND_TITLE = ("id", "title")
ABSENT = msgspec.UNSET  # a key that a JSON row leaves out
NO_PRODUCT = "belongs to no product that was read"


class Line(NamedTuple):
    """One raw row: its values in the columns' order, and its label; ``where`` names it."""

    where: str
    values: Sequence[Any]
    label: Label


@dataclass(frozen=True, slots=True)
class Own:
    """A catalogue's columns: ``names`` as they are written, ``distinct`` ones; ``types`` are Parquet's, by name."""

    catalog: Catalog
    names: tuple[str, ...]
    distinct: tuple[str, ...]
    types: Mapping[str, Any] = field(default_factory=dict)

    def title(self, line: Line) -> str:
        """Return a row's title as the shop wrote it."""
        column = self.catalog.options.get("title", "title")
        cell = line.values[self.distinct.index(column)] if column in self.distinct else ABSENT
        return cell_text(cell) or dict(line.label.texts).get("Title", "")

    def lines(self, labels: Labels) -> Iterator[Line]:
        """Yield every raw row with its label, in the file's order."""
        if _is_nested(self.catalog):
            for label in labels:
                yield Line(label.where, (label.id, dict(label.texts).get("Title", "")), label)
            return
        rows = [self._rows(), self._rows()]  # the numbers run ahead of the values by one row
        found = labels.of_rows(row_number(where) for where, _ in rows[0])
        for (where, values), own in zip(rows[1], found, strict=True):
            yield Line(where, values or (), own or Label(where, NO_PRODUCT))

    def _rows(self) -> Iterator[tuple[str, Sequence[Any] | None]]:
        path, options = self.catalog.path, self.catalog.options
        if is_delimited(path):
            cells = records(path, options.get("encoding"), self.catalog.header)
            next(cells)
            yield from ((where, None if isinstance(row, Outcome) else row) for where, row in cells)
            return
        for where, row in _objects(path):
            yield where, None if row is None else [row.get(name, ABSENT) for name in self.names]


def _is_nested(catalog: Catalog) -> bool:
    return is_xml(catalog.path) or catalog.options["preset"] in NESTED


def of(catalog: Catalog) -> Own:
    """Return the columns of a catalogue; those of JSON rows are all keys that occur, in the order of their first row."""
    path = catalog.path
    if _is_nested(catalog):
        return Own(catalog, ID_AND_TITLE, ID_AND_TITLE)
    if is_delimited(path):
        _, names = next(records(path, catalog.options.get("encoding"), catalog.header))
        assert isinstance(names, list)  # the first is never a row
        return Own(catalog, tuple(names), tuple(distinct_names(names)))
    if path.suffix == ".parquet":
        with parquet.opened(path) as file:
            fields = [*file.schema_arrow]
        types = {field.name: field.type for field in fields}
        if twice := [name for name, count in Counter(field.name for field in fields).items() if count > 1]:
            raise InputError(f"{path}: has several columns {twice[0]!r}: rename all but one")
        return Own(catalog, tuple(types), tuple(types), types)
    keys = dict.fromkeys(name for _, row in _objects(path) for name in row or ())
    return Own(catalog, tuple(keys), tuple(keys))


def need_free(own: Own, added: Sequence[str]) -> None:
    """Raise an ``InputError`` for a catalogue that has a column of the names that are added, such as one labelled before."""
    taken = [name for name in added if name in own.distinct]
    if taken:
        raise InputError(
            f"{own.catalog.path}: has a column {taken[0]!r}, as one that is added is called: rename it, or give the file as it "
            "was before it was labelled"
        )


def _objects(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Yield the rows of JSON, their values as they are written, or of Parquet; ``None`` for one that is no object."""
    if path.suffix == ".parquet":
        yield from ((where, None if isinstance(row, Outcome) else row) for where, row in parquet.rows(path, None))
        return
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    for where, text in json_values(path):
        row = None
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            row = decode(text)
        yield where, row


def cell_text(value: Any) -> str:
    """Return a value as the cell of a table: texts as they are, nothing for null, any other value as JSON or, of Parquet, plain.

    >>> cell_text(msgspec.Raw(b'"Mug"')), cell_text(msgspec.Raw(b"1.50")), cell_text(None), cell_text(True), cell_text(b"Pot")
    ('Mug', '1.50', '', 'true', 'Pot')
    """
    if isinstance(value, msgspec.Raw):
        text = bytes(value).decode()
        return str(msgspec.json.decode(text)) if text[:1] == '"' else "" if text == "null" else text
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, int | float | list | tuple | dict):
        return msgspec.json.encode(value, enc_hook=plain).decode()
    return value if isinstance(value, str) else plain(value)
