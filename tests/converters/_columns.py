"""Shards of made-up columns, with or without rows, and the table of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from converters.mixture.plan.table import Table, table
from converters.mixture.shards import COLUMNS, DTYPE, ROWS, Shard, column_file
from converters.mixture.spec import Entry


def shard(folder: Path, columns: Mapping[str, ArrayLike]) -> Shard:
    """Return a shard in a new folder; columns that are not given are 0."""
    folder.mkdir(parents=True)
    count = max(len(np.asarray(values)) for values in columns.values())
    for name in COLUMNS:
        values = columns.get(name, np.zeros(count))
        (folder / column_file(name)).write_bytes(np.asarray(values).astype(DTYPE[name]).tobytes())
    return counted(folder, count)


def stored(made: Shard, lines: Sequence[bytes], files: int) -> Shard:
    """Write the rows of a shard into so many files, one of them empty if there are two or more, and return it with these."""
    size, parts = -(-len(lines) // max(1, files - 1)), list[tuple[str, int]]()
    for number in range(files):
        own = lines[number * size :][:size]
        parts.append((f"{made.folder.name}.units/{number}/{ROWS}", len(own)))
        path = made.folder.parent / parts[-1][0]
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(own))
    return replace(made, parts=parts)


def counted(folder: Path, count: int, entry: Entry | None = None) -> Shard:
    """Return the shard of so many rows that lies in a folder."""
    counts: dict[str, Any] = {name: Counter() for name in ("rejected", "noted", "dropped")}
    return Shard(entry or Entry(source="catalog", paths=["x"]), folder, count, count, count, **counts)


def rows(folder: Path, *columns: Mapping[str, Sequence[int]]) -> Table:
    """Return the table of shards of these columns, in a folder that is not there yet."""
    return table([shard(folder / str(number), each) for number, each in enumerate(columns)], folder)
