"""Shuffles more rows than memory holds, in two passes: into buckets by their draw, then each bucket sorted by it.

The order follows from the draws alone, so it is the same however many buckets there are and in whatever order rows come.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.split import BITS

BUCKET_BYTES = 8 * 2**20
MOST_BUCKETS = 512  # files open at once

Keys = NDArray[np.uint64]
Sizes = NDArray[np.uint32]


class Shuffle:
    """Rows on their way into one file: :meth:`add` them in any order, then write :meth:`pieces`."""

    def __init__(self, folder: Path, total_bytes: int) -> None:
        """Make buckets under ``folder`` for about ``total_bytes`` of rows."""
        self.bits = min(total_bytes // BUCKET_BYTES, MOST_BUCKETS - 1).bit_length()
        folder.mkdir(parents=True)
        names = [folder / f"{number:03d}" for number in range(2**self.bits)]
        self.rows = [name.with_suffix(".rows") for name in names]
        self.keys = [name.with_suffix(".keys") for name in names]
        self.files = [(rows.open("wb"), keys.open("wb")) for rows, keys in zip(self.rows, self.keys, strict=True)]

    def add(self, data: memoryview, starts: NDArray[np.int64], sizes: Sizes, keys: Keys) -> None:
        """Add rows: row n is ``data[starts[n] : starts[n] + sizes[n]]`` and is placed by ``keys[n]``, a draw.

        ``starts`` ascend.
        """
        bucket = (keys >> np.uint64(BITS - self.bits)).astype(np.uint16)  # short ones are sorted ten times faster
        order = np.argsort(bucket, kind="stable")
        edges = np.searchsorted(bucket[order], np.arange(2**self.bits + 1))
        joined = _joined(data, starts, sizes, order)
        ends = np.append(0, np.cumsum(sizes[order], dtype=np.int64))[edges].tolist()
        for number, (rows, placed) in enumerate(self.files):
            chosen = order[edges[number] : edges[number + 1]]
            if len(chosen):
                rows.write(joined[ends[number] : ends[number + 1]])
                placed.write(np.rec.fromarrays([keys[chosen], sizes[chosen]], dtype=_PLACED).tobytes())

    def pieces(self) -> Iterator[memoryview]:
        """Yield all rows in the order of their draws, a bucket at a time."""
        for rows, placed in self.files:
            rows.close()
            placed.close()
        for rows_file, keys_file in zip(self.rows, self.keys, strict=True):
            yield _sorted(rows_file.read_bytes(), np.frombuffer(keys_file.read_bytes(), _PLACED))
            rows_file.unlink()
            keys_file.unlink()


_PLACED = np.dtype([("key", "u8"), ("size", "u4")])


def _sorted(data: bytes, placed: NDArray[np.void]) -> memoryview:
    sizes = placed["size"]
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    order = np.argsort(placed["key"])  # no two are equal: rows of one draw are dropped as one id
    return _joined(data, starts, sizes, order)


def _joined(data: bytes | memoryview, starts: NDArray[np.int64], sizes: Sizes, order: NDArray[np.int64]) -> memoryview:
    """Return rows in another order, one after the other. Arrow moves them, ten times faster than slices do."""
    import pyarrow as pa

    if not len(order):
        return memoryview(b"")
    # Every second item is a row, the ones between are what lies between rows.
    edges = np.stack([starts, starts + sizes], axis=1).ravel()
    items = pa.Array.from_buffers(pa.large_binary(), len(edges) - 1, [None, pa.py_buffer(edges), pa.py_buffer(data)])
    places = pa.Array.from_buffers(pa.int64(), len(order), [None, pa.py_buffer(2 * order)])
    return memoryview(items.take(places).buffers()[2])
