"""Delimited text as rows: its delimiter, its header, quoted fields, and files that were written without quoting."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from converters.core.errors import InputError
from converters.core.unicode import composed
from converters.io.decoding import UTF8, encoding_of, text_lines
from converters.io.files import AS_UTF8, NOT_UTF8
from converters.io.rows import LIMIT
from converters.schema import Outcome

_NOT_TEXT = re.compile("[\udc80-\udcff]")
_ENCLOSED = re.compile(r'"[^"]*(?:"|$)|\([^()]*\)')  # "Categories (x,y,z...)", "*Action(SiteID=US|Country=US|...)"
_OTHERS = {  # how the first line of what is called .csv or .txt, and is none, begins
    r"<!doctype html|<html": "a web page, perhaps the shop's log-in: export the file again",
    r"<\?xml|<rss|<feed": "XML: give it the ending .xml",
    r'\[?\s*\{\s*"': "JSON: give it the ending .json, or .jsonl where every line is an object",
}
_SEP = re.compile(r'"?sep=(.)"?[\s;,|]*', re.IGNORECASE)  # Excel's first line, which names the delimiter
_AHEAD = 10  # lines below a title among which the column names are
_EMPTY = ' \t\r\n;,|"'  # what a line of empty cells is made of
_END = "\udc01"  # appended as a last line, which no decoding can give: a quote that is never closed swallows it
_BEFORE = 50  # lines whose beginnings show how rows begin
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")


class Sparse(dict[str, str]):
    """A row whose missing columns read as empty cells."""

    def __missing__(self, column: str) -> str:
        """Return the empty cell."""
        return ""


Names = (
    int | Sequence[str] | None
)  # the line of the column names, or the names of a table without such a line; none: the first


def table(path: Path, encoding: str | None = None, header: Names = None) -> Iterator[tuple[str, Sparse | Outcome]]:
    """Yield ``(file:line, row)`` of delimited text with a header, as :func:`records` reads it.

    The second column of one name is called ``name (2)``. Names and cells come composed (NFC).
    """
    found = records(path, encoding, header)
    _, names = next(found)
    assert isinstance(names, list)  # the first is never a row
    columns = distinct_names(names)
    for where, cells in found:
        if isinstance(cells, Outcome):
            yield where, cells
        else:
            texts = cells if "".join(cells).isascii() else map(composed, cells)
            yield where, Sparse(zip(columns, texts, strict=True))


def records(path: Path, encoding: str | None = None, header: Names = None) -> Iterator[tuple[str, list[str] | Outcome]]:
    """Yield ``(file:line, cells)`` as they are written, the column names first; quoted fields may hold line breaks.

    The header decides the delimiter (tab, semicolon, comma or bar, whatever the file is called), or a line ``sep=;`` before it
    does; blank lines before it are skipped, as is a title, a line of one cell above wider ones. ``header`` is its line where
    others stand before it, or the names of the columns where the first line is a row. The line of a row is its first.
    """
    csv.field_size_limit(LIMIT)
    name, coded = str(path), encoding_of(path, encoding)
    broken = NOT_UTF8 if coded.startswith(UTF8) else f"not in the encoding {coded}"
    with text_lines(path, encoding) as file:
        start, rest = _beginning(file, header if isinstance(header, int) or header is None else 0)
        _need_table(path, start.line)
        if isinstance(header, int) or header is None:
            columns, lines = _first_record(path, start, rest)
            _need_names(path, columns, start.number)
            number = start.number + lines
        else:
            start, columns, number = _named(path, start, header), list(header), start.number
            rest = chain([start.line], rest)
        yield f"{name}:{start.number}", columns
        for lines, found in _records(rest, start.delimiter, len(columns)):
            where = f"{name}:{number}"
            number += lines
            if reason := found if isinstance(found, str) else _trouble(found, len(columns), broken):
                yield where, Outcome(where, reason=reason)
            else:
                yield where, [*found]


def _named(path: Path, start: "_Start", names: Sequence[str]) -> "_Start":
    """Return the first line of a table without column names, with the delimiter that makes as many cells as there are names."""
    splits = {mark: next(csv.reader([start.line], delimiter=mark), []) for mark in (start.delimiter, *"\t,;|")}
    fitting = {mark: cells for mark, cells in splits.items() if len(cells) == len(names)}
    if not fitting:
        found = splits[start.delimiter]
        raise InputError(
            f"{path}:{start.number}: found {len(found)} cells ({', '.join(map(repr, found))[:200]}), but header names "
            f"{len(names)} columns: {', '.join(names)[:200]}"
        )
    mark, cells = next(iter(fitting.items()))
    if [cell.strip().casefold() for cell in cells] == [name.strip().casefold() for name in names]:
        raise InputError(
            f"{path}:{start.number}: is a line of the column names that header gives: leave the option out"
        )
    return start._replace(delimiter=mark)


class _Start(NamedTuple):
    number: int  # of the line of column names
    line: str
    delimiter: str


def titled(path: Path, encoding: str | None = None) -> int:
    """Return the line of the column names where a title stands above them, else 0."""
    with text_lines(path, encoding) as file:
        first = next((line for line in file if not _SEP.fullmatch(line) and line.strip(_EMPTY)), "")
        if _width(first) > 1:
            return 0
    with text_lines(path, encoding) as file:
        start, _ = _beginning(file, None)
        return start.number if start.line != first else 0


def _beginning(file: Iterator[str], header: int | None) -> tuple[_Start, Iterator[str]]:
    """Pass over what stands before the column names, or before the first row for line 0; return it with the lines after it."""
    named, number = None, 0
    for number, line in enumerate(file, 1):
        line = line.lstrip("\ufeff") if number < 3 else line
        if match := _SEP.fullmatch(line):
            named = match[1]
        elif number == header or (not header and line.strip(_EMPTY)):
            start, rest = _Start(number, line, named or delimiter_of(line)), file
            known = header is not None or named or _width(line) > 1 or _other(line)
            return (start, rest) if known else _below(start, rest)
    return _Start(header or 1, "", ","), file


def _width(line: str) -> int:
    """Return how many cells of a line are filled."""
    return len(list(filter(str.strip, next(csv.reader([line], delimiter=delimiter_of(line)), ()))))


def _below(title: _Start, file: Iterator[str]) -> tuple[_Start, Iterator[str]]:
    """Return the widest of the lines below a title, the first of them, or the line itself where none is wider."""
    ahead = list(islice(file, _AHEAD))
    widths = [_width(line) for line in ahead]
    place = widths.index(max(widths)) if widths and max(widths) > 1 else -1
    if place < 0:
        return title, chain(ahead, file)
    line = ahead[place]
    return _Start(title.number + 1 + place, line, delimiter_of(line)), chain(ahead[place + 1 :], file)


def _other(line: str) -> str:
    """Return what a file is whose first line is none of a table, or nothing."""
    found = (content for pattern, content in _OTHERS.items() if re.match(pattern, line.lstrip(), re.IGNORECASE))
    return next(found, "")


def _need_table(path: Path, line: str) -> None:
    if content := _other(line):
        raise InputError(f"{path}: is no table but {content}")


def delimiter_of(line: str) -> str:
    """Return what parts the column names in a line: a tab, else the most frequent of comma, semicolon and bar.

    What stands in quotes or brackets does not count.
    """
    bare = _ENCLOSED.sub("", line)
    return "\t" if "\t" in bare else max(",;|", key=bare.count)


def _first_record(path: Path, start: _Start, file: Iterator[str]) -> tuple[list[str], int]:
    reader = csv.reader(chain([start.line], file, [_END]), delimiter=start.delimiter)
    try:
        return next(reader), reader.line_num
    except csv.Error as error:
        raise InputError(f"{path}:{start.number}: not delimited text: {error}") from error


def _need_names(path: Path, cells: Sequence[str], number: int) -> None:
    joined = "".join(cells)
    if _END in joined:
        raise InputError(f"{path}:{number}: a quote among the column names is never closed")
    if _NOT_TEXT.search(joined):
        raise InputError(f"{path}:{number}: the column names are {NOT_UTF8}: {AS_UTF8}")
    if not joined.strip():
        raise InputError(f"{path}:{number}: the line of column names is blank")


def distinct_names(cells: Sequence[str]) -> list[str]:
    """Return column names, composed, each of them once.

    >>> distinct_names(["id", "image", "image"])
    ['id', 'image', 'image (2)']
    """
    counts, cells = Counter[str](), [*map(composed, cells)]
    return [name if not counts.update([name]) and counts[name] == 1 else f"{name} ({counts[name]})" for name in cells]


def _trouble(cells: Sequence[str], width: int, broken: str) -> str:
    if not any(map(str.strip, cells)):
        return "blank line"
    try:
        "".join(cells).encode()  # which lone surrogates do not
    except UnicodeEncodeError:
        return broken
    return "" if len(cells) == width else "number of cells differs from the header's"


def _records(file: Iterator[str], delimiter: str, width: int) -> Iterator[tuple[int, list[str] | str]]:
    """Yield how many lines a record takes, with its cells or what is wrong with it.

    A quote in a file that was written without quoting (an inch mark, a quotation) swallows the rows after it up to the next
    one. What does not read as quoted text is taken line by line, so that no row is lost with another.
    """
    ahead, taken, before = deque[str](), list[str](), deque[str](maxlen=_BEFORE)

    def feed() -> Iterator[str]:
        while line := ahead.popleft() if ahead else next(file, ""):
            taken.append(line)
            yield line

    reader = None
    while line := ahead.popleft() if ahead else next(file, ""):
        if '"' not in line:
            before.append(line)
            yield 1, line.rstrip("\r\n").split(delimiter)
            continue
        ahead.appendleft(line)
        taken.clear()
        reader = reader or csv.reader(feed(), delimiter=delimiter, strict=True)
        try:
            cells = next(reader)
        except csv.Error:
            cells, reader = [], None
        if len(taken) > 1 and _rows_each(taken, delimiter, width, before):
            cells = []
        used, found = (len(taken), cells) if len(cells) == width else _read_as(cells, taken, delimiter, width)
        ahead.extendleft(reversed(taken[used:]))
        yield used, found


def _read_as(cells: list[str], lines: Sequence[str], delimiter: str, width: int) -> tuple[int, list[str] | str]:
    """Return how many of the lines that were not read as one row are one, with its cells; no ``cells``: that failed."""
    line = lines[0]
    bare = line.rstrip("\r\n").split(delimiter)
    escaped = _parsed(line, delimiter, escapechar="\\", doublequote=False, strict=True) if '\\"' in line else []
    lenient = [] if cells or _twice(line, delimiter) else _parsed(line, delimiter)
    if len(escaped) == width:
        return 1, escaped
    if len(lenient) == width and (len(bare) != width or '""' in line):
        return 1, lenient
    if len(bare) == width:
        return 1, bare
    if cells and not any(each.count(delimiter) == width - 1 for each in lines[1:]):
        return len(lines), cells
    return 1, "a quotation mark that is not closed, or text after a closed one"


def _parsed(line: str, delimiter: str, **how: Any) -> list[str]:
    """Return the cells of one line by itself, none where it cannot be read."""
    try:
        return next(csv.reader([line], delimiter=delimiter, **how))
    except csv.Error:
        return []


def _twice(line: str, delimiter: str) -> bool:
    """Tell whether a field begins with two quotes and a text, which no quoted field does."""
    return any(cell.startswith('""') and cell[2:3] not in ("", '"') for cell in line.rstrip("\r\n").split(delimiter))


def _rows_each(lines: Sequence[str], delimiter: str, width: int, before: Iterable[str]) -> bool:
    """Tell whether the lines of a record are rows: a quoted text rarely has tabs, nor lines that begin as rows do."""
    first, *others = (line.count(delimiter) for line in lines)
    full = width - 1
    if delimiter == "\t":
        return (first == full and any(others)) or (first > 0 and full in others)
    if first != full or any(count != full for count in others):
        return False
    # Commas in a text have blanks after them, and are in each of its lines as often as in a row by chance alone.
    if (
        full > 1
        and lines[0].partition('"')[0].count(delimiter) < full
        and not any(f"{delimiter} " in each for each in lines)
    ):
        return True
    usual = {shape(line.partition(delimiter)[0]) for line in (lines[0], *before)}
    return all(shape(line.partition(delimiter)[0]) in usual for line in lines)


def shape(cell: str) -> str:
    """Return a cell with 9 for each number and a for each word of letters."""
    return _LETTERS.sub("a", _DIGITS.sub("9", cell))
