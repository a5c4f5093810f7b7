"""Read Parquet row by row, and join two Parquet tables."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from converters.core.errors import InputError, first_line
from converters.io.files import NOT_UTF8, Columns, need_columns, open_raw, reading, select_columns
from converters.io.pieces import Piece, Source, Spool, path_of, spooling
from converters.schema import Outcome

BATCH = 1024  # rows that are Python objects at a time
FILE, ROW = "#file", "#row"
OUT_OF_RANGE = "a value that is out of range"


def columns(path: Path) -> list[str]:
    """Return the names of a parquet file's columns."""
    with opened(path) as file:
        return list(file.schema_arrow.names)


def joined(
    left: Sequence[Path],
    right: Sequence[Path],
    keys: Sequence[str],
    together: Sequence[str],
    wanted: Sequence[str],
    looked_up: Sequence[str],
) -> Iterator[tuple[Any, ...]]:
    """Yield ``(file:#row, *wanted of left, *looked_up of right)``, ``None`` where right has no row with the same keys.

    Rows that are equal in ``together`` follow each other, in the order of the first of them. Of several right rows with the same
    keys the first counts. With no ``right`` files, the left ones hold all columns.
    """
    try:
        table = _read(left, [*wanted, *keys, *together, *([] if right else looked_up)], keys)
        order = [f"#{name}" for name in together] + [FILE, ROW]
        for name in together:  # numbers in the order of first occurrence, which also sort faster than texts
            codes = pc.dictionary_encode(table[name].combine_chunks(), null_encoding="encode").indices
            table = table.append_column(f"#{name}", codes)
        if right:
            table = table.join(
                _read(right, [*keys, *looked_up], keys), list(keys), join_type="left outer", right_suffix=" right"
            )
            order += [f"{FILE} right", f"{ROW} right"]
        table = table.sort_by([(name, "ascending") for name in order]).select([FILE, ROW, *wanted, *looked_up])
        before = None
        for batch in table.to_batches(max_chunksize=BATCH):
            for file, row, *values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if before != (before := (file, row)):
                    yield (f"{left[file]}:#{row}", *values)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{left[0]}: cannot be joined: {first_line(error)}") from error


def _read(paths: Sequence[Path], names: Iterable[str], keys: Sequence[str]) -> Any:
    """Return the columns of all files as one table, and where each row is from; keys are strings of one type on both sides."""
    names, tables = list(dict.fromkeys(names)), []
    for number, path in enumerate(paths):
        with opened(path) as file:
            need_columns(path, file.schema_arrow.names, names)
            table = file.read(columns=names)
        for name in names:
            kind = table[name].type
            if name in keys or pa.types.is_null(kind) or pa.types.is_string(kind):
                # The texts of one column may exceed 2 GiB; an empty column has no type of its own.
                column = table[name].cast(pa.string()).cast(pa.large_string())
                table = table.set_column(table.column_names.index(name), name, column)
        table = table.append_column(FILE, pa.repeat(number, len(table)))
        tables.append(table.append_column(ROW, pa.array(range(1, len(table) + 1), pa.int64())))
    return pa.concat_tables(tables, promote_options="permissive")


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; one that is missing, empty or damaged is an ``InputError``, even if that shows only later."""
    with reading(path):
        if not path.is_file() or path.stat().st_size == 0:
            open_raw(path)  # which says what is wrong
    try:
        # Columns of a whole row group would else be read ahead, whatever the size of the buffer.
        with pq.ParquetFile(path, memory_map=False, buffer_size=1 << 20, pre_buffer=False) as file:
            yield file
        pa.default_memory_pool().release_unused()  # which is much
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged Parquet file: {first_line(error)}") from error


def rows(source: Source, columns: Columns) -> Iterator[tuple[str, dict[str, Any] | Outcome]]:
    """Yield ``(file:#n, row)`` with those of ``columns`` that the file has; one row group is in memory at a time."""
    path, piece = path_of(source), source if isinstance(source, Piece) else None
    with opened(path) as file:
        names = select_columns(path, file.schema_arrow.names, columns)
        first, count = (piece.first, piece.rows) if piece else (1, file.metadata.num_rows)
        if piece and piece.spooled:
            with pa.ipc.open_stream(piece.spooled) as batches:
                yield from _numbered(path, batches, first)
        else:
            yield from _numbered(path, _batches(file, names, first - 1, first - 1 + count), first)


def _batches(file: pq.ParquetFile, names: Sequence[str], start: int, stop: int) -> Iterator[Any]:
    """Yield rows ``start`` to ``stop``, counted from 0; row groups beside them are passed over."""
    at = 0
    for group in range(file.num_row_groups):
        end = at + file.metadata.row_group(group).num_rows
        if at < stop and end > start:
            for batch in file.iter_batches(BATCH, row_groups=[group], columns=names, use_threads=False):
                low, high = max(start - at, 0), min(stop - at, batch.num_rows)
                if low < high:
                    yield batch.slice(low, high - low)
                at += batch.num_rows
        at = end


def _numbered(path: Path, batches: Iterable[Any], first: int) -> Iterator[tuple[str, dict[str, Any] | Outcome]]:
    for batch in batches:
        yield from _batch(path, batch, first)
        first += batch.num_rows


def cut(path: Path, size: int, columns: Columns, spool: Spool | None) -> Iterator[Piece]:
    """Yield a file in pieces of about ``size`` bytes, unpacked: several row groups together, or rows of one that is larger."""
    with opened(path) as file:
        names, first, rows, held = select_columns(path, file.schema_arrow.names, columns), 1, 0, 0
        for group in range(file.num_row_groups):
            count, length = file.metadata.row_group(group).num_rows, _unpacked(file, group, names)
            if held and held + length > size:
                yield Piece(path, first, rows)
                first, rows, held = first + rows, 0, 0
            if length > 2 * size:
                step = -(-count * size // (length * BATCH)) * BATCH
                yield from _cut_group(path, file, group, names, first, step, spool)
                first += count
            else:
                rows, held = rows + count, held + length
        if rows:
            yield Piece(path, first, rows)


def _unpacked(file: pq.ParquetFile, group: int, names: Sequence[str]) -> int:
    chunks = (file.metadata.row_group(group).column(n) for n in range(file.metadata.num_columns))
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.partition(".")[0] in names)


def _cut_group(
    path: Path, file: pq.ParquetFile, group: int, names: Sequence[str], first: int, step: int, spool: Spool | None
) -> Iterator[Piece]:
    """Yield ``step`` rows of a group at a time, each left in the file that ``spool`` gives, if any."""
    count = file.metadata.row_group(group).num_rows
    batches = file.iter_batches(BATCH, row_groups=[group], columns=names, use_threads=False) if spool else iter(())
    for start in range(0, count, step):
        spooled, own = spool() if spool else None, islice(batches, step // BATCH)
        if spooled:
            batch = next(own)
            with spooling(spooled), pa.ipc.new_stream(spooled, batch.schema) as out:
                for each in chain([batch], own):
                    out.write_batch(each)
        deque(own, 0)  # those that nobody asks for
        yield Piece(path, first + start, min(step, count - start), spooled=spooled)


def _batch(path: Path, batch: Any, first: int) -> Iterator[tuple[str, dict[str, Any] | Outcome]]:
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError):
        rows = [_row(batch.slice(number, 1)) for number in range(batch.num_rows)]
    for number, row in enumerate(rows, first):
        where = f"{path}:#{number}"
        yield where, Outcome(where, reason=row) if isinstance(row, str) else row


def _row(batch: Any) -> Any:
    """Return a row, or the reason why it cannot be read."""
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError:
        return NOT_UTF8
    except (ValueError, OverflowError):  # such as a day of the year 2,000,000
        return OUT_OF_RANGE
