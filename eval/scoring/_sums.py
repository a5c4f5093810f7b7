"""Sums of a table's lines by group, which the bootstrap weighs and the jackknife leaves out, thousands of times over."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from eval.metrics.base import Floats, Metric, Table

Ints = NDArray[np.int64]

KEPT = 31 << 20  # bytes; glibc learns from no block of more than 32 MiB


def keep_freed_memory() -> None:
    """Let the C library keep what arrays of this size, made a thousand times over, give back: the system zeroes every page anew.

    glibc takes the size of the largest block that was freed for that from which blocks are the system's (``man mallopt``).
    """
    np.empty(KEPT, np.uint8)


class Shared(NamedTuple):
    """Lines summed by group (columns × groups) and by part (parts × columns), and all of them."""

    by_group: Any
    by_part: Any
    whole: Floats


class Factors(NamedTuple):
    """Tables with the same lines: what each line adds to their columns, one under another, and where those of each table are.

    ``None``: the lines themselves are the one table.
    """

    factor: Any
    columns: dict[int, slice]


def factors(tables: Mapping[int, Any]) -> Factors:
    """Return the factors of tables with the same lines, given what each line adds to the columns of each."""
    if None in tables.values():
        return Factors(None, dict.fromkeys(tables, slice(None)))
    ends = np.cumsum([0, *(columns.shape[0] for columns in tables.values())]).tolist()
    places = {key: slice(*pair) for key, pair in zip(tables, pairwise(ends), strict=True)}
    return Factors(sparse.vstack(list(tables.values()), format="csr"), places)


def shared(by_group: Any, parts: Ints) -> Shared:
    """Return lines that were summed by group, in the rows' order, to be weighed.

    With a line a column, a sparse product reads the weights in a row, and scatters into sums that fit into the cache.
    """
    of_part = sparse.csr_array((np.ones(len(parts)), (parts, np.arange(len(parts)))))
    by_part: Any = of_part @ by_group
    sums = np.ascontiguousarray(by_group.T) if isinstance(by_group, np.ndarray) else by_group.T
    return Shared(sums, by_part, np.asarray(by_part.sum(axis=0)))


def without(each: Shared, some: slice) -> Floats:
    """Return the sums (columns × parts) without each of some parts."""
    parts = each.by_part[some]
    return (each.whole - (parts if isinstance(parts, np.ndarray) else parts.toarray())).T


def reduced(
    columns: Sequence[tuple[Table, Metric]], factored: Mapping[int, Factors], sums: Mapping[int, Floats]
) -> Floats:
    """Return samples × metrics, given the sums of lines (× samples)."""
    of_table = dict[int, Floats]()
    for key, (factor, places) in factored.items():
        found = np.ascontiguousarray((sums[key] if factor is None else factor @ sums[key]).T)
        of_table |= {table: found[:, place] for table, place in places.items()}
    return np.stack([metric.reduce(of_table[id(table)]) for table, metric in columns], axis=1)
