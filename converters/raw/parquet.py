"""Parquet files, batch by batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from converters.errors import InputError, first_line
from converters.outcome import Outcome
from converters.raw.columns import Wanted, chosen
from converters.raw.files import NOT_UTF8, open_raw, whole

BATCH = 1024


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; one that is missing, empty or damaged, wherever that shows, is an ``InputError``."""
    with whole(path):
        if not path.is_file() or path.stat().st_size == 0:
            open_raw(path)
    try:
        with pq.ParquetFile(path, memory_map=False, buffer_size=1 << 20) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged Parquet file: {first_line(error)}") from error


def rows(path: Path, columns: Wanted) -> Iterator[tuple[str, dict[str, Any] | Outcome]]:
    """Yield ``(file:#n, row)`` with those of ``columns`` that the file has; one group of rows is in memory at a time."""
    with opened(path) as file:
        names, number = chosen(path, file.schema_arrow.names, columns), 1
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(BATCH, row_groups=[group], columns=names, use_threads=False):
                yield from _batch(path, batch, number)
                number += batch.num_rows


def _batch(path: Path, batch: Any, first: int) -> Iterator[tuple[str, dict[str, Any] | Outcome]]:
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:
        rows = [_row(batch.slice(number, 1)) for number in range(batch.num_rows)]
    for number, row in enumerate(rows, first):
        where = f"{path}:#{number}"
        yield where, Outcome(where, reason=NOT_UTF8) if row is None else row


def _row(batch: Any) -> Any:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError:
        return None
