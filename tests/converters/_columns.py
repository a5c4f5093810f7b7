"""Shards of made-up columns, without rows, and the table of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from converters.mixture.plan.table import Table, table
from converters.mixture.shards import COLUMNS, DTYPE, Shard, column_file
from converters.mixture.spec import Entry


def shard(folder: Path, columns: Mapping[str, ArrayLike]) -> Shard:
    """Return a shard in a new folder; columns that are not given are 0."""
    folder.mkdir(parents=True)
    count = max(len(np.asarray(values)) for values in columns.values())
    for name in COLUMNS:
        values = columns.get(name, np.zeros(count))
        (folder / column_file(name)).write_bytes(np.asarray(values).astype(DTYPE[name]).tobytes())
    return counted(folder, count)


def counted(folder: Path, count: int, entry: Entry | None = None) -> Shard:
    """Return the shard of so many rows that lies in a folder."""
    counts: dict[str, Any] = {name: Counter() for name in ("rejected", "noted", "dropped")}
    return Shard(entry or Entry(source="catalog", paths=["x"]), folder, count, count, count, **counts)


def rows(folder: Path, *columns: Mapping[str, Sequence[int]]) -> Table:
    """Return the table of shards of these columns, in a folder that is not there yet."""
    return table([shard(folder / str(number), each) for number, each in enumerate(columns)], folder)
