"""Parquet files, batch by batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from converters.errors import InputError, first_line
from converters.outcome import Outcome
from converters.raw.columns import Wanted, chosen
from converters.raw.files import NOT_UTF8, open_raw, whole

BATCH = 1024


def rows(path: Path, columns: Wanted) -> Iterator[tuple[str, dict[str, Any] | Outcome]]:
    """Yield ``(file:#n, row)`` with those of ``columns`` that the file has."""
    # The magic bytes are looked at by Parquet itself: only the sentences of a missing or empty file are wanted here.
    with whole(path):
        if not path.is_file() or path.stat().st_size == 0:
            open_raw(path)
    try:
        with pq.ParquetFile(path, memory_map=False, buffer_size=1 << 20) as file:
            names, number = chosen(path, file.schema_arrow.names, columns), 1
            for batch in batches(file, BATCH, names, threads=False):
                yield from _batch(path, batch, number)
                number += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: found a damaged Parquet file, expected a whole one: {first_line(error)}") from error


def batches(file: pq.ParquetFile, size: int, names: Sequence[str], threads: bool = True) -> Iterator[Any]:
    """Yield record batches of at most ``size`` rows, group by group: a reader of several keeps all of them until it ends."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(size, row_groups=[group], columns=list(names), use_threads=threads)


def _batch(path: Path, batch: Any, first: int) -> Iterator[tuple[str, dict[str, Any] | Outcome]]:
    try:
        found = batch.to_pylist()
    except UnicodeDecodeError:
        found = [_row(batch.slice(number, 1)) for number in range(batch.num_rows)]
    for number, row in enumerate(found, first):
        where = f"{path}:#{number}"
        yield where, Outcome(where, reason=NOT_UTF8) if row is None else row


def _row(batch: Any) -> Any:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError:
        return None
