"""Joins two sets of parquet files on key columns, in order of the first set's groups, in little memory.

Keys are looked up once as a whole (Arrow's ``index_in``); then only the rows that were found are read, and Python sees a few
thousand of them at a time. No table of all joined rows ever exists.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from converters.errors import InputError
from converters.raw import need_columns
from converters.raw.parquet import batches

BATCH = 8192
# Arrow's own ways from and to numpy and Python import pandas, which takes longer than the join: buffers do not.
_TAB = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\t")])[0]


def columns(path: Path) -> list[str]:
    """Return the names of a parquet file's columns."""
    return list(_opened(path).schema_arrow.names)


def joined(
    left: Sequence[Path],
    right: Sequence[Path],
    keys: Sequence[str],
    together: Sequence[str],
    wanted: Sequence[str],
    looked_up: Sequence[str],
) -> Iterator[tuple[Any, ...]]:
    """Yield ``(file:#row, *wanted of left, *looked_up of right)``, ``None`` where right has no row with the same keys.

    Rows that are equal in ``together`` come one after the other, in the order of the first of them. With no ``right`` files, all
    columns are the left ones' own.
    """
    table = _read(left, [*wanted, *([] if right else looked_up)], [*keys, *together])
    order = _together(table, together)
    places = _places(left)
    found, texts = _looked_up(table, right, keys, looked_up) if right else (None, None)
    names = [*wanted, *([] if right else looked_up)]
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        part = [_taken(table.column(name), rows) for name in names]
        if texts is not None and found is not None:
            part += [_taken(texts.column(name), found[rows]) for name in looked_up]
        yield from zip(map(places, rows.tolist()), *part, strict=True)


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: found {'a folder' if path.is_dir() else 'nothing'}, expected a parquet file")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: found no whole parquet file, expected one: {error}") from error


def _read(paths: Sequence[Path], names: Sequence[str], more: Sequence[str]) -> Any:
    wanted = list(dict.fromkeys([*names, *more]))
    tables = []
    for path in paths:
        need_columns(path, columns(path), wanted)
        tables.append(_opened(path).read(columns=wanted))
    # One type for all files: a column that is empty in one of them has none of its own there.
    return pa.concat_tables(tables, promote_options="permissive").combine_chunks()


def _together(table: Any, names: Sequence[str]) -> Any:
    """Return the places of rows, equal ones together; sorting the numbers of values is 20 times faster than texts."""
    codes = np.zeros(len(table), np.int64)
    for name in names:
        values = pc.dictionary_encode(table.column(name).combine_chunks(), null_encoding="encode")
        codes = codes * (len(values.dictionary) + 1) + _numbers(values.indices)
    return np.argsort(codes, kind="stable")


def _places(paths: Sequence[Path]) -> Any:
    ends = list(accumulate(_opened(path).metadata.num_rows for path in paths))

    def place(row: int) -> str:
        number = bisect_right(ends, row)
        return f"{paths[number]}:#{row + 1 - (ends[number - 1] if number else 0)}"

    return place


def _looked_up(table: Any, paths: Sequence[Path], keys: Sequence[str], names: Sequence[str]) -> tuple[Any, Any]:
    """Return each left row's place among the right rows that are read, -1 for none, and these rows."""
    for path in paths:
        need_columns(path, columns(path), [*keys, *names])
    known = pa.chunked_array(
        [chunk for path in paths for chunk in _keys(_opened(path).read(columns=list(keys)), keys).chunks]
    )
    found = _numbers(pc.index_in(_keys(table, keys), value_set=known))
    used = np.zeros(len(known), bool)
    used[found[found >= 0]] = True
    place = np.append(np.cumsum(used) - 1, -1)
    return place[found], _only(paths, names, used)


def _keys(table: Any, names: Sequence[str]) -> Any:
    return pc.binary_join_element_wise(*(table.column(name).cast(pa.string()) for name in names), _TAB)


def _only(paths: Sequence[Path], names: Sequence[str], used: Any) -> Any:
    parts, start = [], 0
    schema = pa.schema([(name, pa.large_string()) for name in names])
    for path in paths:
        for batch in batches(_opened(path), BATCH, names):
            mask = _mask(used[start : start + len(batch)])
            # Texts of more than 2 GiB in one column need 64-bit offsets.
            parts.append(pa.Table.from_batches([batch]).select(list(names)).filter(mask).cast(schema))
            start += len(batch)
    return pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table()


def _taken(column: Any, rows: Any) -> list[Any]:
    places = pa.Array.from_buffers(pa.int64(), len(rows), [_bits(rows >= 0), pa.py_buffer(np.ascontiguousarray(rows))])
    found: list[Any] = column.take(places).to_pylist()
    return found


def _mask(chosen: Any) -> Any:
    return pa.Array.from_buffers(pa.bool_(), len(chosen), [None, _bits(chosen)])


def _bits(chosen: Any) -> Any:
    return pa.py_buffer(np.packbits(chosen, bitorder="little"))


def _numbers(values: Any) -> Any:
    """Return 32-bit numbers, -1 where there is none."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    valid, data = array.buffers()
    here = slice(array.offset, array.offset + len(array))
    numbers = np.frombuffer(data, np.int32)[here]
    if valid is None:
        return numbers
    return np.where(np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[here], numbers, -1)
