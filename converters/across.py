"""What is wrong between rows, not in one of them: ids that repeat, and groups that are in two splits. Numbers stand for texts."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.examples import Row
from converters.parts import hashed


@dataclass(slots=True)
class Keys:
    """Each row's file, line, and the hashes of its id, its group and all it says."""

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    groups: "array[int]" = field(default_factory=lambda: array("Q"))
    texts: "array[int]" = field(default_factory=lambda: array("Q"))
    lines: "array[int]" = field(default_factory=lambda: array("I"))
    files: "array[int]" = field(default_factory=lambda: array("B"))

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, row: Row, file: int, line: int) -> None:
        """Add a row of a file, which is numbered from 0."""
        self.ids.append(hashed(row.id))
        self.groups.append(hashed(row.group))
        self.texts.append(hashed(repr([(turn.role, turn.content) for turn in row.messages])))
        self.lines.append(line)
        self.files.append(file)


def _numbers(values: "array[int]") -> NDArray[Any]:
    return np.array(values, f"u{values.itemsize}")


def repeats(keys: Keys) -> Iterator[tuple[int, int]]:
    """Yield the place of each row whose id an earlier one has, and the place of the first that has it."""
    _, first, which = np.unique(_numbers(keys.ids), return_index=True, return_inverse=True)
    firsts = first[which]
    for place in np.flatnonzero(firsts != np.arange(len(firsts))).tolist():
        yield place, int(firsts[place])


def split_groups(keys: Keys) -> Iterator[tuple[int, int]]:
    """Yield the place of each row whose group is in a later file, too, and that file: test wins over validation over train."""
    groups, which = np.unique(_numbers(keys.groups), return_inverse=True)
    files = _numbers(keys.files)
    strongest = np.zeros(len(groups), np.uint8)
    np.maximum.at(strongest, which, files)
    for place in np.flatnonzero(files < strongest[which]).tolist():
        yield place, int(strongest[which[place]])
