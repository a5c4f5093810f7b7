"""Raw rows that gave examples, none of which is kept: they are not used, and counted with what became of their first example."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from converters.parts import Part, places

Codes = NDArray[np.int8]
KEPT = -1


def fates(part: Part, why: Codes) -> Codes:
    """Return for each raw row of a part with examples ``KEPT``, or where none of them is kept the code of the first.

    ``why`` has an entry for each example: ``KEPT``, or a code of the reason why it was dropped.
    """
    counts = part.raws()["examples"]
    if not len(counts):
        return np.zeros(0, np.int8)
    first = np.cumsum(counts, dtype=np.int64) - counts
    kept = np.minimum.reduceat(why, first) == KEPT
    return np.where(kept, np.int8(KEPT), why[first])


def counted(parts: Sequence[Part], why: Codes, reasons: Sequence[str]) -> Counter[str]:
    """Count the raw rows of an entry that are left out; ``why`` is that of all its parts, ``reasons`` are by code."""
    found: Counter[str] = Counter()
    for part, here in each(parts, why):
        codes = fates(part, here)
        rows = part.raws()["rows"]
        found.update({_said(reasons[code]): int(rows[codes == code].sum()) for code in set(codes.tolist()) - {KEPT}})
    return found


def told(part: Part, why: Codes, reasons: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the place of each raw row of a part that is left out, with the reason."""
    codes = fates(part, why)
    if (codes != KEPT).any():
        yield from (
            (place, _said(reasons[code])) for place, code in zip(places(part), codes, strict=True) if code != KEPT
        )


def _said(reason: str) -> str:
    return f"all its examples dropped: {reason}"


def each(parts: Sequence[Part], why: Codes) -> Iterator[tuple[Part, Codes]]:
    """Yield parts with what of ``why`` is about their examples."""
    start = 0
    for part in parts:
        yield part, why[start : start + part.examples]
        start += part.examples
