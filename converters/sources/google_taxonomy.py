"""Google's product taxonomy: the category tree that product feeds use.

Raw format: a head line ``# Google_Product_Taxonomy_Version: 2021-09-21``, then ``id - A > B > C`` lines, or ``A > B > C`` lines
in the file without ids; most lines decide which. As a source of its own it teaches the paths: a category's name in, its path
out. The ``catalog`` source checks a shop's categories against it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from converters.core.errors import InputError
from converters.core.hashing import digest
from converters.core.unicode import composed
from converters.io import open_raw, reading
from converters.schema import Listing, Outcome, Text
from converters.text.words import words

URL = "https://www.google.com/basepages/producttype/taxonomy-with-ids.en-US.txt"
LICENCE = "Google, free download; no licence stated"
FILES = "taxonomy-with-ids.en-US.txt, taxonomy.en-US.txt"
TASKS = ("category",)
NEAR, FAR = 85, 60  # per cent of a name's letters: the same one written otherwise, the nearest one worth naming
GID = "gid://shopify/TaxonomyCategory/"  # the prefix of Shopify's ids
KINDS = NEW, GONE, RENAMED, MOVED, BELOW = "new", "gone", "renamed", "moved", "below"  # of changes between two releases
HOMONYM = "its last name alone is"  # the end of a sentence: nothing above the name agrees
HEAD = "# Google_Product_Taxonomy_Version:"
_NUMBERED = re.compile(r"\s*(\d+) - (.*)")

Category = tuple[str, ...]


class Match(NamedTuple):
    """``kind`` is renamed, moved, unknown or ``HOMONYM``; ``sure`` tells that it is the same category and no other path fits."""

    kind: str
    nearest: Category
    sure: bool


@dataclass(eq=False)
class Taxonomy:
    """A release and its lines: ``(file:line, id, path)``; a line that is no category has an empty path."""

    release: str
    lines: Sequence[tuple[str, str, Category]]
    matches: dict[Category, Match] = field(default_factory=dict)

    @cached_property
    def paths(self) -> frozenset[Category]:
        """Every path of the tree."""
        return frozenset(path for _, _, path in self.lines if path)

    @cached_property
    def _ids(self) -> dict[str, Category]:
        return {identifier: path for _, identifier, path in self.lines if path}

    def by_id(self, identifier: str) -> Category:
        """Return the path of an id, ``()`` if the release has none; Shopify's ids are taken with or without their prefix."""
        return self._ids.get(short(identifier), ())

    @cached_property
    def ids(self) -> dict[Category, str]:
        """The id of every path; translated names may repeat, and then the first one counts."""
        return {path: identifier for _, identifier, path in reversed(self.lines) if path}

    @cached_property
    def _children(self) -> dict[Category, Category]:
        children = defaultdict[Category, list[str]](list)
        for path in filter(None, (path for _, _, path in self.lines)):
            children[path[:-1]].append(path[-1])
        return {path: tuple(dict.fromkeys(names)) for path, names in children.items()}

    def children(self, path: Category) -> tuple[Category, ...]:
        """Return the names to choose from at each level of a path, and below its last node."""
        return tuple(self._children.get(path[:depth], ()) for depth in range(len(path) + 1))

    @cached_property
    def _normalised(self) -> dict[Category, Category]:
        return {tuple(map(normalise, path)): path for path in sorted(self.paths)}

    @cached_property
    def _leaves(self) -> dict[str, list[Category]]:
        """All paths by their last node, normalised."""
        leaves = defaultdict[str, list[Category]](list)
        for names, path in self._normalised.items():
            leaves[names[-1]].append(path)
        return dict(leaves)

    def match(self, path: Category) -> Match:
        """Return where a path that is not in the taxonomy would be in it: renamed, moved, or unknown with the nearest name.

        A last name that the taxonomy has is no proof: Beauty's nails are no hardware. A node above it must agree, too.
        """
        if path not in self.matches:
            self.matches[path] = self._match(tuple(map(normalise, path)))
        return self.matches[path]

    def _match(self, names: Category) -> Match:
        if names in self._normalised:
            return Match("renamed", self._normalised[names], True)
        if names[-1] in self._leaves:
            return self._moved(names, self._leaves[names[-1]])
        from rapidfuzz import fuzz, process  # slow to load, and most names are spelt rightly

        similar = process.extractOne(names[-1], self._leaves.keys(), scorer=fuzz.ratio, score_cutoff=FAR)
        if not similar:
            return Match("unknown", (), False)
        nearest = self._moved(names, self._leaves[similar[0]]).nearest
        return Match("renamed" if similar[1] >= NEAR else "unknown", nearest, False)

    def _moved(self, names: Category, candidates: Sequence[Category]) -> Match:
        """Return the candidate that shares most nodes above the last with a path, the shortest of them; if none, a homonym."""
        shared = [self._shared(names, tuple(map(normalise, path))) for path in candidates]
        best = [path for path, count in zip(candidates, shared, strict=True) if count == max(shared)]
        nearest = min(best, key=lambda path: (len(path), path))
        return Match("moved" if max(shared) else HOMONYM, nearest, max(shared) > 0 and len(best) == 1)

    def _shared(self, names: Category, others: Category) -> int:
        """Count the nodes above the last that paths share; "Accessories", which stands under many parents, is none by itself."""
        same = {*names[:-1]} & {*others[:-1]}
        agrees = names[0] == others[0] or any(len(self._leaves.get(name, ())) < 2 for name in same)
        return len(same) if agrees else 0


class Change(NamedTuple):
    """What became of an id between two releases; ``old`` is empty for a new one, ``new`` for one that is gone."""

    kind: str
    id: str
    old: Category
    new: Category


def changes(old: Taxonomy, new: Taxonomy) -> list[Change]:
    """Return the ids whose paths differ, in the order of the files.

    A node is ``renamed`` if its own name changed, ``moved`` if its parent is another one, and ``below`` if only the names above
    it changed.
    """
    found = []
    for _, identifier, path in old.lines:
        now = new.by_id(identifier)
        if path and path != now:
            found.append(Change(_kind(path, now, old, new), identifier, path, now))
    later = ((identifier, path) for _, identifier, path in new.lines if path)
    return found + [Change(NEW, identifier, (), path) for identifier, path in later if not old.by_id(identifier)]


def _kind(path: Category, now: Category, old: Taxonomy, new: Taxonomy) -> str:
    if not now:
        return GONE
    if old.ids.get(path[:-1]) != new.ids.get(now[:-1]):
        return MOVED
    return RENAMED if path[-1] != now[-1] else BELOW


def normalise(name: str) -> str:
    """Return a name without what spellings differ in: case, ``&``, punctuation and a plural's end.

    >>> normalise("Cups & Mugs") == normalise("cup and mug") == "cup and mug"
    True
    """
    found = words(name.replace("&", " and "))
    return " ".join(word.removesuffix("s") if len(word) > 3 else word for word in found) or name


def short(identifier: str) -> str:
    """Return an id as taxonomies hold it: Google's number, or the last part of Shopify's ``gid``.

    >>> short(" 276 "), short("gid://shopify/TaxonomyCategory/aa-1-2")
    ('276', 'aa-1-2')
    """
    return identifier.strip().removeprefix(GID)


def load(path: Path) -> Taxonomy:
    """Read a taxonomy file; a wrong head, or a file without a category, is an ``InputError``."""
    with open_raw(path) as file, reading(path):
        head, *rest = composed(file.read().decode("utf-8-sig", errors="replace")).splitlines() or [""]
    if not head.startswith(HEAD):
        raise InputError(f"{path}:1: found {head[:60]!r}, expected {HEAD!r} and a date")
    filled = [line for line in rest if line.strip() and not line.startswith("#")]
    numbered = 2 * sum(map(bool, map(_NUMBERED.match, filled))) >= len(filled)
    lines = [(f"{path}:{number}", *_category(line, numbered)) for number, line in enumerate(rest, 2)]
    if not any(nodes for _, _, nodes in lines):
        raise InputError(f"{path}: no category; expected lines such as '1 - Animals & Pet Supplies'")
    return Taxonomy(head.removeprefix(HEAD).strip(), lines)


def _category(line: str, numbered: bool) -> tuple[str, Category]:
    """Return a line's id and path, which is empty for a line of the other form; without ids, a path is its own."""
    found = _NUMBERED.fullmatch(line)
    if bool(found) != numbered or line.startswith("#"):
        return "", ()
    nodes = tuple(map(str.strip, (found[2] if found else line).split(">")))
    if not all(nodes):
        return "", ()
    return found[1] if found else f"path:{digest(nodes)}", nodes


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a line; a name that stands under several parents ("Accessories") cannot tell its path."""
    for path in paths:
        tree = load(path)
        numbered = any(identifier.isdecimal() for _, identifier, _ in tree.lines)
        yield from outcomes(tree, "google", "not 'id - A > B'" if numbered else "not 'A > B'")


def outcomes(tree: Taxonomy, prefix: str, unread: str) -> Iterator[Outcome]:
    """Yield the outcomes of a taxonomy's lines; ``prefix`` begins their groups, ``unread`` is the reason of other lines."""
    names = Counter(nodes[-1] for _, _, nodes in tree.lines if nodes)
    for where, identifier, nodes in tree.lines:
        if not nodes:
            yield Outcome(where, reason=unread)
        elif names[nodes[-1]] > 1:
            yield Outcome(where, reason="name stands under several parents")
        else:
            texts = (Text("Category", nodes[-1]),)
            group, children = f"{prefix}:{identifier}", tree.children(nodes)
            yield Outcome(where, (Listing(identifier, group, texts, nodes, tree.release, children),))
