"""Where a category that a taxonomy does not have would be in it: renamed, moved, or unknown with the nearest name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from rapidfuzz import fuzz, process

Path = tuple[str, ...]
NEAR, FAR = 85, 60  # per cent of a name's letters: the same one written otherwise, the nearest one worth naming


class Match(NamedTuple):
    """``kind`` is renamed, moved or unknown; ``sure`` tells that no other path of the taxonomy fits as well."""

    kind: str
    nearest: Path
    sure: bool


@dataclass(eq=False)
class Matcher:
    """Looks categories up; each different one costs once."""

    paths: Iterable[Path]
    known: dict[Path, Match] = field(default_factory=dict)

    @cached_property
    def spelt(self) -> dict[Path, Path]:
        """Every path by its nodes as :func:`plain` has them."""
        return {tuple(map(plain, path)): path for path in sorted(self.paths)}

    @cached_property
    def leaves(self) -> dict[str, list[Path]]:
        """All paths by their last node."""
        found = defaultdict[str, list[Path]](list)
        for words, path in self.spelt.items():
            found[words[-1]].append(path)
        return dict(found)

    def match(self, path: Path) -> Match:
        """Return the nearest place of a path that is not in the taxonomy."""
        if path not in self.known:
            self.known[path] = self._found(tuple(map(plain, path)))
        return self.known[path]

    def _found(self, words: Path) -> Match:
        if words in self.spelt:
            return Match("renamed", self.spelt[words], True)
        if words[-1] in self.leaves:
            nearest, sure = _best(words, self.leaves[words[-1]])
            return Match("moved", nearest, sure)
        found = process.extractOne(words[-1], self.leaves.keys(), scorer=fuzz.ratio, score_cutoff=FAR)
        if not found:
            return Match("unknown", (), False)
        return Match("renamed" if found[1] >= NEAR else "unknown", _best(words, self.leaves[found[0]])[0], False)


def _best(words: Path, candidates: Sequence[Path]) -> tuple[Path, bool]:
    """Return the candidate that shares most names with a path, the shortest of them, and whether it is the only such one."""
    shared = [len({*words} & {*map(plain, path)}) for path in candidates]
    best = [path for path, count in zip(candidates, shared, strict=True) if count == max(shared)]
    return min(best, key=lambda path: (len(path), path)), len(best) == 1


def plain(name: str) -> str:
    """Return a name without what spellings differ in: case, ``&``, punctuation and a plural's end.

    >>> plain("Cups & Mugs") == plain("cup and mug") == "cup and mug"
    True
    """
    words = re.findall(r"\w+", name.casefold().replace("&", " and "))
    return " ".join(word.removesuffix("s") if len(word) > 3 else word for word in words) or name
