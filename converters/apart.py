"""Takes training rows out of a mix that are almost rows of its held-out splits."""

from collections.abc import Iterator, Sequence
from itertools import compress

import numpy as np
import pandas as pd

from converters import neighbours
from converters.convert import Converted
from converters.mix import NEAR, TRAIN, drop, kept, within
from converters.parts import lines


def apart(rows: pd.DataFrame, converted: Sequence[Converted], threshold: float | None) -> None:
    """Drop training rows whose text is near that of a validation or test row; with no threshold, none."""
    if threshold is None:
        return
    train = within(rows, TRAIN)
    candidates = zip(_lines(converted), train.tolist(), strict=True)
    held_out = compress(_lines(converted), kept(rows) & ~train)
    drop(rows, np.fromiter(neighbours.near(candidates, held_out, threshold), bool, len(train)), NEAR)


def _lines(converted: Sequence[Converted]) -> Iterator[bytes]:
    return (line for entry in converted for part in entry.parts for line in lines(part))
