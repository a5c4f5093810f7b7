"""The beginning of a file, by which presets recognise it."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from converters.io.decoding import first_lines
from converters.io.delimited import delimiter_of, shape
from converters.io.tables import AHEAD, is_delimited
from converters.io.tables import rows as table_rows
from converters.io.xml import beginning, is_xml
from converters.schema import Outcome
from converters.sources.catalog.labels.paths import ARROW

_VALUE = re.compile(r"\s*(?:https?://|[$€£¥]?\s*\d+(?:[.,]\d+)*\s*[$€£¥]?\s*$)")
_SIGNS = re.compile(r"\d|.>.")


class Evidence(NamedTuple):
    """How many of a preset's typical columns (or elements) a file has."""

    found: int
    typical: int

    @property
    def share(self) -> float:
        """The share that is there."""
        return self.found / self.typical


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file: its first lines, the columns of its first rows (or the elements of an XML file), the first rows.

    ``root`` is the name of an XML file's first element, empty for any other file. ``paths`` are all files of the entry, and
    ``given`` the options that the user gave, for presets whose own options follow from them.
    """

    path: Path
    lines: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    root: str = ""
    paths: tuple[Path, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)

    def evidence(self, *typical: str) -> Evidence:
        """Return how many of ``typical`` are columns, in any case."""
        present = {column.strip().casefold() for column in self.columns}
        return Evidence(sum(name.casefold() in present for name in typical), len(typical))

    def present(self, *names: str) -> str | None:
        """Return the first of ``names`` that is a column, in any case, as the file writes it."""
        columns = {column.strip().casefold(): column for column in reversed(self.columns)}
        return next((columns[name.casefold()] for name in names if name.casefold() in columns), None)

    def separator(self, column: str | None, usual: str) -> str | None:
        """Return a platform's separator of nodes, or none where cells of its categories have arrows: they part nodes then."""
        return None if any(ARROW.search(row.get(column or "", "")) for row in self.rows) else usual

    @property
    def begins_with_a_row(self) -> bool:
        """Whether the column names look like a row: a number or an address, or like the cells below, with figures or ``>``."""
        return any(_VALUE.match(name) or self._is_like_those_below(name) for name in self.columns)

    def _is_like_those_below(self, name: str) -> bool:
        alike = sum(shape(row.get(name, "")) == shape(name) for row in self.rows)
        return bool(_SIGNS.search(name)) and 2 * alike > len(self.rows)

    def header(self, fits: Callable[[Sequence[str]], bool]) -> "Header | None":
        """Return the line of column names of a table that begins with other lines: the first whose cells fit."""
        for number, line in enumerate(self.lines, 1):
            mark = delimiter_of(line)
            with suppress(csv.Error):  # such as a cell over the limit, which no column name is
                cells = tuple(next(csv.reader([line], delimiter=mark), ()))
                if fits(cells):
                    return Header(number, cells)
        return None


class Header(NamedTuple):
    """The number of a file's line of column names, from 1, and the names."""

    line: int
    columns: tuple[str, ...]


def head(path: Path, encoding: str | None = None, header: Sequence[str] = ()) -> Head:
    """Return the beginning of a file; ``header`` are the column names of a table that has none."""
    if is_xml(path):
        root, names = beginning(path, encoding)
        return Head(path, (), names, (), root)
    first = list(islice(table_rows(path, (), encoding, header or None), AHEAD))
    cells = [row for _, row in first if not isinstance(row, Outcome)]
    lines = first_lines(path, encoding) if is_delimited(path) else ()
    return Head(path, lines, tuple(dict.fromkeys(name for row in cells for name in row)), tuple(cells))
