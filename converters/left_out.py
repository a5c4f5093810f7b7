"""Raw rows that gave examples, none of which is kept: they are not used, and counted with what became of their first example."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from converters.parts import Part, places

Codes = NDArray[np.int8]
KEPT = -1
DROPPED = "all its examples dropped: "  # in front of what is counted among the rejects


def fates(part: Part, why: Codes) -> Iterator[tuple[Codes, NDArray[np.uint32]]]:
    """Yield of a part's raw rows with examples, so many at a time, what became of each, and how many raw rows it stands for.

    That is ``KEPT``, or where none of its examples is kept the code of the first. ``why`` has an entry for each example:
    ``KEPT``, or a code of the reason why it was dropped.
    """
    start = 0
    for found in part.raws():
        ends = start + np.cumsum(found["examples"], dtype=np.int64)
        here, first = why[start : ends[-1]], ends - found["examples"] - start
        kept = np.minimum.reduceat(here, first) == KEPT
        yield np.where(kept, np.int8(KEPT), here[first]), found["rows"]
        start = int(ends[-1])


def counted(parts: Sequence[Part], why: Codes, reasons: Sequence[str]) -> Counter[str]:
    """Count the raw rows of an entry that are left out; ``why`` is that of all its parts, ``reasons`` are by code."""
    found: Counter[str] = Counter()
    for part, here in each(parts, why):
        for codes, rows in fates(part, here):
            for code in set(codes.tolist()) - {KEPT}:
                found[_said(reasons[code])] += int(rows[codes == code].sum())
    return found


def told(part: Part, why: Codes, reasons: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Yield the place of each raw row of a part that is left out, the reason, and how many raw rows were gathered in it."""
    codes = (pair for found, rows in fates(part, why) for pair in zip(found.tolist(), rows.tolist(), strict=True))
    for place, (code, rows) in zip(places(part), codes, strict=True):
        if code != KEPT:
            yield place, _said(reasons[code]), rows


def each(parts: Sequence[Part], why: Codes) -> Iterator[tuple[Part, Codes]]:
    """Yield parts with what of ``why`` is about their examples."""
    start = 0
    for part in parts:
        yield part, why[start : start + part.examples]
        start += part.examples


def _said(reason: str) -> str:
    return DROPPED + reason
