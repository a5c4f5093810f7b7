"""Which of many numbers come for the first time, in bounded memory: they are split by value into files that fit."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

BUCKETS = 64
_PLACED = np.dtype([("value", "u8"), ("place", "u8")])


def first_ones(chunks: Iterable[NDArray[np.uint64]], bits: int) -> bytearray:
    """Return 1 for each number below ``2**bits`` that no earlier one equals, 0 for each repeat; a byte a number is held.

    >>> list(first_ones([np.array([5, 7], np.uint64), np.array([5, 9], np.uint64)], 56))
    [1, 1, 0, 1]
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [(Path(folder) / str(number)).open("w+b") for number in range(BUCKETS)]
        found = bytearray(b"\x01" * _scattered(chunks, files, bits))
        for file in files:
            file.seek(0)
            placed = np.frombuffer(file.read(), _PLACED)
            _, first = np.unique(placed["value"], return_index=True)
            repeats = np.ones(len(placed), bool)
            repeats[first] = False
            for place in placed["place"][repeats].tolist():
                found[place] = 0
            file.close()
    return found


def _scattered(chunks: Iterable[NDArray[np.uint64]], files: Sequence[BinaryIO], bits: int) -> int:
    total = 0
    for chunk in chunks:
        placed = np.empty(len(chunk), _PLACED)
        placed["value"], placed["place"] = chunk, np.arange(total, total + len(chunk))
        bucket = chunk >> np.uint64(bits - 6)
        for number in np.unique(bucket).tolist():
            files[number].write(placed[bucket == number].tobytes())
        total += len(chunk)
    return total
