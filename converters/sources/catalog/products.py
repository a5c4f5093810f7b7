"""Rows to products: rows of one group (a parent and its variants, or a product over several rows) are gathered.

A preset's ``rows`` yields ``(where, cells)`` in this form: a row that is only a part of a product (a further image, a SKU, a
translation) has a blank title; the group's column holds the same key in all rows of a product, the parent's too, or nothing; a
cell of several values is a JSON list. A row that is no product comes as an ``Outcome`` with its reason.

In a group, the first titled row whose id is the key is the product, or else the first titled row with a category, or else the
first titled one. The other titled rows are variants: at most ``variants`` rows a product become products of their own, with the
category and texts of the product where they have none; the rest is merged into the product, as parts are. A part with a value
that has no name (of ``pairs``) takes the product's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.io.grouping import grouped
from converters.io.tables import Sparse
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.text.none import is_none

Placed = tuple[str, Cells]  # where a row is from, and its cells
CODED = '[{"code": '  # how a cell begins in which a preset has found codes without names
MERGED, OVER = "row merged into its product", "variant merged into its product"
_PACK, _UNPACK = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(tuple[str, dict[str, str]]).decode


@dataclass(frozen=True, slots=True)
class Product:
    """A product's main row, the rows merged into it, the key of its group (empty: none) and how many raw rows it stands for.

    ``family`` is the title of the group's first product, ``merged`` are the places of the rows merged into it.
    """

    where: str
    cells: Cells
    parts: tuple[Cells, ...] = ()
    key: str = ""
    family: str = ""
    rows: int = 1
    notes: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()

    @property
    def all_cells(self) -> tuple[Cells, ...]:
        """The main row and those merged into it."""
        return (self.cells, *self.parts)


def products(
    rows: Iterable[tuple[str, Cells | Outcome]], columns: Columns, scattered: bool, size: int
) -> Iterator[Product | Outcome]:
    """Yield the products of rows in the file's order, or, if the rows of a group are ``scattered``, in another stable one.

    ``size`` is roughly the input's size in bytes. A row whose group's cell is blank is a product of its own.
    """
    if not columns.group:
        for where, cells in rows:
            yield cells if isinstance(cells, Outcome) else Product(where, cells)
        return
    for group in _scattered(rows, columns.group, size) if scattered else _adjacent(rows, columns.group):
        if isinstance(group, Outcome):
            yield group
        else:
            yield from _products(group, columns)


def group_key(cells: Cells, columns: Columns) -> str:
    """Return a row's cell of the group; a word for none, unless it is its id, is as a blank one."""
    key = cells[columns.group or ""].strip()
    nothing = key and is_none(key) and key != cells[columns.id].strip()
    return "" if nothing else key


def tied(
    rows: Iterable[tuple[str, Cells | Outcome]], columns: Columns, parents: NDArray[np.int64]
) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield rows with the keys of their groups: a row without one whose id is among the hashes of ``parents`` is the parent."""
    known = set(parents.tolist())
    for where, cells in rows:
        if columns.group and not isinstance(cells, Outcome):
            identifier, key = cells[columns.id].strip(), group_key(cells, columns)
            own = key or (identifier if hash(identifier) in known else "")
            if own != cells[columns.group].strip():
                cells = Sparse({**cells, columns.group: own})
        yield where, cells


def following(
    rows: Iterable[tuple[str, Cells | Outcome]],
    columns: Columns,
    column: str,
    key: Callable[[Cells], str],
    is_part: Callable[[Cells, str], bool],
) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows of a file in which a product's parts follow it, with its key in ``column``; parts have no title.

    ``is_part`` takes a row and the key of the product before. Parts after a row that could not be read belong to none: it may
    have been their product.
    """
    current = ""
    for where, cells in rows:
        if isinstance(cells, Outcome):
            current = current if cells.reason == "blank line" else ""
            yield where, cells
            continue
        part = is_part(cells, current)
        current = current if part else key(cells)
        yield where, Sparse({**cells, column: current or where, **({columns.title: ""} if part else {})})


def _adjacent(rows: Iterable[tuple[str, Cells | Outcome]], column: str) -> Iterator[list[Placed] | Outcome]:
    waiting, key = list[Placed](), ""
    for where, cells in rows:
        if isinstance(cells, Outcome):
            yield cells
            continue
        own = cells[column].strip()
        if waiting and (not own or own != key):
            yield waiting
            waiting = []
        waiting.append((where, cells))
        key = own
    if waiting:
        yield waiting


def _scattered(rows: Iterable[tuple[str, Cells | Outcome]], column: str, size: int) -> Iterator[list[Placed] | Outcome]:
    def keyed() -> Iterator[tuple[bytes, bytes] | Outcome]:
        for where, cells in rows:
            if isinstance(cells, Outcome):
                yield cells
            else:
                key = cells[column].strip() or f"\0{where}"
                yield key.encode(errors="replace"), _PACK((where, {name: cell for name, cell in cells.items() if cell}))

    for group in grouped(keyed(), size):
        yield group if isinstance(group, Outcome) else [(where, Sparse(cells)) for where, cells in map(_UNPACK, group)]


def _products(group: Sequence[Placed], columns: Columns) -> Iterator[Product]:
    key = group[0][1][columns.group or ""].strip()
    titled = [placed for placed in group if placed[1][columns.title].strip()]
    main = _main(titled, key, columns) if titled else group[0]
    own = [placed for placed in titled if placed is not main]
    if columns.variants is not None:
        again = [placed for placed in own if _is_again(placed, main, columns)]
        own = [*again, *[placed for placed in own if placed not in again][: columns.variants - 1]]
    apart = {where for where, _ in (main, *own)}
    merged = [placed for placed in group if placed[0] not in apart]
    variants = sum(bool(cells[columns.title].strip()) for _, cells in merged)
    notes = (OVER,) * variants + (MERGED,) * (len(merged) - variants)
    parts = tuple(_naming(cells, main[1], columns) for _, cells in merged)
    family, whole = main[1][columns.title], inheriting(main[1], (cells for _, cells in group), columns)
    places = tuple(where for where, _ in merged)
    product = Product(main[0], whole, parts, key, family, 1 + len(merged), notes, places)
    yield product
    for where, cells in own:
        yield Product(where, inheriting(cells, [product.cells], columns), (), key, family)


def _is_again(placed: Placed, main: Placed, columns: Columns) -> bool:
    """Tell whether a row has its product's own id: it is no variant, but a row of the same id again, which is counted as that."""
    identifier = placed[1][columns.id].strip()
    return columns.id != columns.group and bool(identifier) and identifier == main[1][columns.id].strip()


def _main(titled: Sequence[Placed], key: str, columns: Columns) -> Placed:
    named = (placed for placed in titled if placed[1][columns.id].strip() == key)
    filed = (placed for placed in titled if _named(placed[1], columns))
    return next(named, None) or next(filed, None) or titled[0]


def _naming(cells: Cells, main: Cells, columns: Columns) -> Cells:
    """Return a part whose values have the names of the main row where it gives none, as parts do that are variants."""
    names = {
        name: main[name] for name, value in columns.pairs.items() if cells[value].strip() and not cells[name].strip()
    }
    return Sparse({**cells, **names}) if names else cells


def inheriting(cells: Cells, others: Iterable[Cells], columns: Columns) -> Cells:
    """Return a row with the texts and the category of the first other row that has them, where it has none of its own.

    A row that has but codes of categories takes the names of another row. Columns of a category come from one row.
    """
    blank = [column for column in columns.texts.values() if not cells[column].strip()]
    filed = _named(cells, columns) or not columns.category
    if filed and not blank:
        return cells
    rows = [*others]
    texts = ((column, next((row[column] for row in rows if row[column].strip()), "")) for column in blank)
    found = {column: text for column, text in texts if text}
    if not filed:
        known = [row for row in rows if _named(row, columns)]
        known += [row for row in rows if _filed(row, columns)] * (not _filed(cells, columns))
        found |= {column: known[0][column] for column in columns.category if known}
    return Sparse({**cells, **found}) if found else cells


def _filed(cells: Cells, columns: Columns) -> bool:
    return any(cells[column].strip() for column in columns.category)


def _named(cells: Cells, columns: Columns) -> bool:
    return any(cells[column].strip() and not cells[column].startswith(CODED) for column in columns.category)
