"""Google's product taxonomy: the category tree that product feeds use.

Raw format: a head line ``# Google_Product_Taxonomy_Version: 2021-09-21``, then ``id - A > B > C`` lines. As a source of its own
it teaches the paths: a category's name in, its path out. The ``catalog`` source checks a shop's categories against it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from converters.errors import InputError
from converters.matching import Matcher
from converters.outcome import Outcome
from converters.raw import open_raw, whole
from converters.records import Listing, Text

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
    with open_raw(path) as file, whole(path):
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
