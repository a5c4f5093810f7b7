"""Takes training rows out of a mix that are almost rows of its held-out splits."""

from collections.abc import Iterator, Sequence
from itertools import compress

import numpy as np

from converters import neighbours
from converters.convert import Converted
from converters.mix import TRAIN, Table
from converters.parts import UNPINNED, lines

REASON = "near-duplicate of a held-out row"


def apart(rows: Table, converted: Sequence[Converted], threshold: float | None) -> None:
    """Drop training rows whose text is near that of a validation or test row; with no threshold, none."""
    if threshold is None:
        return
    train = rows.within(TRAIN)
    held = (rows.split != UNPINNED) & ~train
    look = zip(_lines(converted), train.tolist(), strict=True)
    found = neighbours.near(look, compress(_lines(converted), held.tolist()), threshold)
    rows.drop(np.fromiter(found, bool, len(train)), REASON)


def _lines(converted: Sequence[Converted]) -> Iterator[bytes]:
    return (line for one in converted for part in one.parts for line in lines(part))
