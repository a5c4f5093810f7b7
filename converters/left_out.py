"""Raw rows that gave examples, none of which is kept: they are not used, and counted with what became of their first example."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from converters.parts import Part, places

Codes = NDArray[np.int8]
KEPT = -1
DROPPED = "all its examples dropped: "  # in front of what is counted among the rejects


def fates(part: Part, why: Codes) -> tuple[Codes, NDArray[np.uint32]]:
    """Return what became of each raw row of a part with examples, and how many raw rows it stands for.

    That is ``KEPT``, or where none of its examples is kept the code of the first. ``why`` has an entry for each example:
    ``KEPT``, or a code of the reason why it was dropped.
    """
    raws = part.raws()
    first = np.cumsum(raws["examples"], dtype=np.int64) - raws["examples"]
    any_kept = np.minimum.reduceat(why, first) == KEPT if len(first) else np.empty(0, bool)
    return np.where(any_kept, np.int8(KEPT), why[first]), raws["rows"]


def counted(parts: Sequence[Part], why: Codes, reasons: Sequence[str]) -> Counter[str]:
    """Count the raw rows of an entry that are left out; ``why`` is that of all its parts, ``reasons`` are by code."""
    counts: Counter[str] = Counter()
    for part, codes in each(parts, why):
        fate, rows = fates(part, codes)
        sums = pd.Series(rows).groupby(fate).sum().drop(KEPT, errors="ignore")
        for code, count in zip(sums.index.tolist(), sums.tolist(), strict=True):
            counts[DROPPED + reasons[code]] += count
    return counts


def listed(part: Part, why: Codes, reasons: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Yield the place of each raw row of a part that is left out, the reason, and how many raw rows were gathered in it."""
    for place, code, rows in zip(places(part), *fates(part, why), strict=True):
        if code != KEPT:
            yield place, DROPPED + reasons[code], int(rows)


def each(parts: Sequence[Part], why: Codes) -> Iterator[tuple[Part, Codes]]:
    """Yield parts with what of ``why`` is about their examples."""
    return zip(parts, np.split(why, np.cumsum([part.examples for part in parts])[:-1]), strict=True)
