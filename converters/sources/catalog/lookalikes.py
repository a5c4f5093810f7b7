"""Titles that look like variants of one product, in rows for which no column names the group, and the column that is it.

"Running Tee - Coral, S" and "Running Tee - Coral, M" share a stem, which may be the title of a third row. Without a group they
are three products, of which one may be in the test split and the others in training.
"""

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from converters.sources.catalog.columns import Cells, Columns
from converters.text.words import UNSPACED

_END = re.compile(  # "(Red)", " - Red, M"
    r"\s*(?:[([（【][^()[\]（）【】]{1,40}[)\]）】]|(?: [-–—|/:] |, ?|; ?| / |[，；｜])[^|]{1,40})\s*$"
)
_SIZE = re.compile(r"\s+(?:x{0,4}[sl]|m|[2-6]xl|one size|\d+(?:[.,]\d+)?\s?(?:ml|cl|l|g|kg|cm|mm|m|oz|inch|gb|tb|w))$")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_HINT = re.compile(r"parent|group|handle|model|style|family|master|produ[ck]t|artikel|item|gruppe", re.IGNORECASE)
SAMPLE = 2000  # rows whose columns are compared
SHORT = 30  # characters of a cell that may end a title: a size, a colour
MOST = 300  # characters of a title that is looked at: its ends are cut off one by one
LONG = 80  # characters of a cell that is no name of a product
MIN_SHARE, MIN_ROWS = 0.05, 3  # of the rows, from which it is worth a sentence
Hashes = NDArray[np.int64]


@dataclass(slots=True)
class LookAlikes:
    """Hashes of all titles and their stems, 16 bytes a row, of the first rows' cells and first words, and two titles to show."""

    titles: "array[int]" = field(default_factory=lambda: array("q"))
    stems: "array[int]" = field(default_factory=lambda: array("q"))
    beginnings: "array[int]" = field(default_factory=lambda: array("q"))
    sample: "dict[str, array[int]]" = field(default_factory=dict)
    example: tuple[str, str] = ("", "")
    first: dict[int, str] = field(default_factory=dict)


def stem(title: str, endings: Iterable[str] = ()) -> str:
    """Return a title without its last parts, in lower case; nothing where it has none or its rest is a single word.

    ``endings`` are cells of its row: the size or the colour may end the title without a sign before it.

    >>> stem("Running Tee - Coral, S"), stem("Acme kettle (1.5 l)"), stem("Acme - Mug"), stem("Acme kettle")
    ('running tee', 'acme kettle', '', '')
    >>> stem("Running Tee Coral XL", ["7", "Coral"]), stem("保温杯（红色）"), stem("保温杯红色", ["红色"])
    ('running tee', '保温杯', '保温杯')
    """
    whole = " ".join(title.casefold().split())
    if len(whole) > MOST:
        return ""
    cells = {ending.casefold().strip() for ending in endings}
    words = {cell if _UNSPACED.match(cell) else f" {cell}" for cell in cells if cell}
    start, before = whole, ""
    while start != before:
        before, start = start, _shorter(start, words)
        if " " not in start and not _UNSPACED.match(start, 1):
            return before if before != whole else ""
    return start if start != whole else ""


def _shorter(title: str, endings: Iterable[str]) -> str:
    shorter = _END.sub("", title, count=1)
    if shorter == title:
        shorter = _SIZE.sub("", title, count=1)
    return shorter if shorter != title else next((title[: -len(end)] for end in endings if title.endswith(end)), title)


def note(seen: LookAlikes, cells: Cells, columns: Columns) -> None:
    """Take a row in."""
    title, used = cells[columns.title], {columns.title, *columns.category}
    if not title.strip():
        return
    ends = (cell for column, cell in cells.items() if len(cell) <= SHORT and column not in used)
    # A lamp and a mirror of one name end in their kinds, too, but are in two categories.
    base = stem(title, ends)
    if base != stem(title):
        base = "\0".join([base, *(cells[column] for column in columns.category)])
    own, key = hash(title.casefold().strip()), hash(base) if base else 0
    seen.titles.append(own)
    seen.stems.append(key)
    if len(seen.titles) > SAMPLE:
        return
    seen.beginnings.append(hash(" ".join(title.casefold().split()[:-1][:2])))
    if key and key in seen.first and not seen.example[0]:
        seen.example = (seen.first[key], title)
    seen.first.setdefault(key or own, title)
    for column, cell in cells.items():
        known = seen.sample.setdefault(column, array("q", [0] * (len(seen.titles) - 1)))
        known.append(hash(cell.strip()) if cell.strip() and len(cell) <= LONG else 0)
    for known in seen.sample.values():
        known.extend([0] * (len(seen.titles) - len(known)))


def sentence(seen: LookAlikes, columns: Columns) -> str:
    """Return what is to be said of the titles, nothing where too few look alike."""
    titles, stems = np.frombuffer(seen.titles, np.int64), np.frombuffer(seen.stems, np.int64)
    keys = np.where(stems != 0, stems, titles)
    named, counts = np.unique(keys, return_counts=True)
    alike = np.isin(keys, named[counts > 1]) & np.isin(keys, stems[stems != 0])
    count = int(alike.sum())
    if count < max(MIN_ROWS, MIN_SHARE * len(titles)) or not seen.example[0]:
        return _by_column(seen, columns)
    first, second = (title[:60] for title in seen.example)
    column = _column(seen, np.where(alike, keys, 0)[:SAMPLE], columns)
    mend = f"column {column!r} may name it: --option group={column!r}" if column else "no column seems to name it"
    rows = f" of rows without {columns.group!r}" if columns.group else ""
    return (
        f"{count:,} of {len(titles):,} titles{rows} look like variants of one product ({first!r}, {second!r}), which may then be "
        f"in training and in the test split: {mend}"
    )


def _by_column(seen: LookAlikes, columns: Columns) -> str:
    """Say which column may name the product, in a file whose titles do not show it: rows of one cell begin alike."""
    beginnings = np.frombuffer(seen.beginnings, np.int64)
    for column, cells in seen.sample.items():
        values = np.frombuffer(cells, np.int64)
        names, number, counts = np.unique(values, return_inverse=True, return_counts=True)
        shared = (counts[number] > 1) & (values != 0)
        pairs = len(np.unique(np.stack([values, beginnings])[:, shared], axis=1).T)
        groups, rows = int(((counts > 1) & (names != 0)).sum()), int(shared.sum())
        if column in (columns.title, *columns.category) or not _HINT.search(column) or groups < 2:
            continue
        if pairs == groups == len(np.unique(beginnings[shared])) and rows >= max(MIN_ROWS, MIN_SHARE * len(values)):
            return (
                f"titles of one {column!r} begin alike: if its rows are variants of one product, which may then be in training "
                f"and in the test split, give --option group={column!r}"
            )
    return ""


def _column(seen: LookAlikes, keys: Hashes, columns: Columns) -> str:
    """Return the column whose cells are the same in all rows of a stem, and different in different ones."""
    rows, used = np.flatnonzero(keys), {columns.title, *columns.category, *columns.texts.values()}
    stems, number = np.unique(keys[rows], return_inverse=True)
    good = []
    for column, cells in seen.sample.items():
        values = np.frombuffer(cells, np.int64)[: len(keys)][rows]
        if column in used or len(stems) < 2 or not values.all():
            continue
        pairs = len(np.unique(np.stack([number, values]), axis=1).T)
        if pairs == len(stems) and len(np.unique(values)) >= 0.9 * len(stems):
            good.append(column)
    return min(good, key=lambda column: (not _HINT.search(column), column), default="")
