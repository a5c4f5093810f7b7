"""Where a category that a taxonomy does not have would be in it: renamed, moved, or unknown with the nearest name."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from rapidfuzz import fuzz, process

from converters.core.errors import InputError
from converters.io import open_raw, reading
from converters.schema import Listing, Outcome, Text

Category = tuple[str, ...]
NEAR, FAR = 85, 60  # per cent of a name's letters: the same one written otherwise, the nearest one worth naming


class Match(NamedTuple):
    """``kind`` is renamed, moved or unknown; ``sure`` tells that no other path of the taxonomy fits as well."""

    kind: str
    nearest: Category
    sure: bool


@dataclass(eq=False)
class Matcher:
    """Looks categories up; each different one costs once."""

    paths: Iterable[Category]
    known: dict[Category, Match] = field(default_factory=dict)

    @cached_property
    def spelt(self) -> dict[Category, Category]:
        """Every path by its nodes as :func:`plain` has them."""
        return {tuple(map(plain, path)): path for path in sorted(self.paths)}

    @cached_property
    def leaves(self) -> dict[str, list[Category]]:
        """All paths by their last node."""
        found = defaultdict[str, list[Category]](list)
        for words, path in self.spelt.items():
            found[words[-1]].append(path)
        return dict(found)

    def match(self, path: Category) -> Match:
        """Return the nearest place of a path that is not in the taxonomy."""
        if path not in self.known:
            self.known[path] = self._found(tuple(map(plain, path)))
        return self.known[path]

    def _found(self, words: Category) -> Match:
        if words in self.spelt:
            return Match("renamed", self.spelt[words], True)
        if words[-1] in self.leaves:
            nearest, sure = _best(words, self.leaves[words[-1]])
            return Match("moved", nearest, sure)
        found = process.extractOne(words[-1], self.leaves.keys(), scorer=fuzz.ratio, score_cutoff=FAR)
        if not found:
            return Match("unknown", (), False)
        return Match("renamed" if found[1] >= NEAR else "unknown", _best(words, self.leaves[found[0]])[0], False)


def _best(words: Category, candidates: Sequence[Category]) -> tuple[Category, bool]:
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


URL = "https://www.google.com/basepages/producttype/taxonomy-with-ids.en-US.txt"
LICENCE = "Google, free download; no licence stated"
FILES = "taxonomy-with-ids.en-US.txt"
TASKS = ("category",)
_HEAD = "# Google_Product_Taxonomy_Version:"


@dataclass(eq=False)
class Taxonomy:
    """A release and its lines: ``(file:line, id, path)``; a line that is no category has an empty path."""

    release: str
    lines: tuple[tuple[str, str, tuple[str, ...]], ...]

    @cached_property
    def paths(self) -> frozenset[tuple[str, ...]]:
        """Every path of the tree."""
        return frozenset(path for _, _, path in self.lines if path)

    @cached_property
    def matcher(self) -> Matcher:
        """What finds the place of a category that is not in the tree."""
        return Matcher(self.paths)

    @cached_property
    def _names(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        found = defaultdict[tuple[str, ...], list[str]](list)
        for _, _, path in self.lines:
            if path:
                found[path[:-1]].append(path[-1])
        return {path: tuple(dict.fromkeys(names)) for path, names in found.items()}

    def children(self, path: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Return the names to choose from at each level of a path, and below its last node."""
        return tuple(self._names.get(path[:depth], ()) for depth in range(len(path) + 1))


def load(path: Path) -> Taxonomy:
    """Read a taxonomy file; a wrong head, or a file without a path, is an ``InputError``."""
    with open_raw(path) as file, reading(path):
        head, *rest = file.read().decode("utf-8-sig", errors="replace").splitlines()
    if not head.startswith(_HEAD):
        raise InputError(f"{path}:1: found {head[:60]!r}, expected {_HEAD!r} and a date")
    lines = tuple((f"{path}:{number}", *_category(line)) for number, line in enumerate(rest, 2))
    if not any(path for _, _, path in lines):
        raise InputError(f"{path}: found no category, expected lines such as '1 - Animals & Pet Supplies'")
    return Taxonomy(head.removeprefix(_HEAD).strip(), lines)


def _category(line: str) -> tuple[str, tuple[str, ...]]:
    identifier, dash, names = line.partition(" - ")
    path = tuple(name.strip() for name in names.split(">"))
    return (identifier, path) if dash and all(path) else ("", ())


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a line; a name that stands under several parents ("Accessories") cannot tell its path."""
    for path in paths:
        taxonomy = load(path)
        names = Counter(nodes[-1] for _, _, nodes in taxonomy.lines if nodes)
        for where, identifier, nodes in taxonomy.lines:
            yield _outcome(where, identifier, nodes, taxonomy, names)


def _outcome(where: str, identifier: str, nodes: tuple[str, ...], tree: Taxonomy, names: Counter[str]) -> Outcome:
    if not nodes:
        return Outcome(where, reason="not 'id - A > B'")
    if names[nodes[-1]] > 1:
        return Outcome(where, reason="name stands under several parents")
    texts = (Text("Category", nodes[-1]),)
    return Outcome(
        where, (Listing(identifier, f"google:{identifier}", texts, nodes, tree.release, tree.children(nodes)),)
    )
