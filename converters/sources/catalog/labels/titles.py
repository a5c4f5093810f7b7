"""Last nodes that are the product itself: its title, its title with a variant after it, or either cut short.

``Home > Mugs > Blue mug (Pack of 2)`` of a product "Blue mug" names no class. ``Home > Mugs`` of a product "Mugs" may: the whole
file decides, since a class has several products, or paths below it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from converters.sources.catalog.lookalikes import stem
from converters.sources.google_taxonomy import Category
from converters.text.html import untagged
from converters.text.sanitize import one_line
from converters.text.words import words

CUT = "last node of the category is the title: cut"
USUAL = 0.25  # share of rows that end in their title, from which a short one, or a part of one, is no chance
_DOTS = re.compile(r"\s*(?:\.\.\.|…)$")
_VARIANT = re.compile(r"\s*[(\[{（【|｜/,，;；:·]|\s+[-–—+&x]\s")  # what parts a title from the words for a variant


class Likeness(NamedTuple):
    """How a name is like a title: by how many words, and from how many on it is the product; ``few``, where that is usual."""

    size: float = 0
    needed: float = 1
    few: float = 1


NONE = Likeness()


@dataclass(frozen=True, slots=True)
class Titles:
    """What a file says of the last nodes of its paths.

    Those of ``classes`` are shared; ``usual``: many are titles; ``deep``: most have several nodes, and a title alone is none.
    """

    classes: frozenset[Category] = frozenset()
    usual: bool = False
    deep: bool = False

    def without(self, path: Category, title: str) -> Category:
        """Return a path without a last node that is the product.

        >>> Titles().without(("Home", "Mugs", "Red mug (Pack of 2)"), "red Mug"), Titles().without(("Home", "Mug"), "Mug")
        (('Home', 'Mugs'), ('Home', 'Mug'))
        """
        if not path or path in self.classes:
            return path
        size, needed, few = likeness(path[-1], title)
        alone = self.deep and len(path) == 1 and words(path[0]) == words(title)
        return path[:-1] if alone or size >= (few if self.usual else needed) else path


def likeness(name: str, title: str) -> Likeness:
    """Return how a node's name is like a title; of nothing in common, and of a title that only holds the name, the size is 0.

    >>> likeness("Steel pan - 28 cm", "Steel pan"), likeness("Boots", "Black boots"), likeness("青いマグ（2個）", "青いマグ")
    (Likeness(size=2.0, needed=2, few=1), Likeness(size=0, needed=1, few=1), Likeness(size=2.0, needed=2, few=1))
    """
    named, told = words(_DOTS.sub("", name)), words(_DOTS.sub("", title))
    if not named or not told:
        return NONE
    size, dots = _size(told), bool(_DOTS.search(name)) and len(name) > 3
    if dots and _cut(named, told):
        return Likeness(size, 0, 0)
    if named == told:
        return Likeness(size, 2, 1)
    if named[: len(told)] == told:
        return Likeness(size, 2, 1) if _is_variant(name, title) else Likeness(size, 3, 2)
    if any(named[at : at + len(told)] == told for at in range(1, len(named) - len(told) + 1)):
        return Likeness(size, 3, 2)
    base = stem(title)
    if told[: len(named)] == named or (base and stem(name) == base):
        return Likeness(_size(named), float("inf"), 3)
    return NONE


def _cut(named: list[str], told: list[str]) -> bool:
    """Tell whether words, the last of them perhaps cut short, begin a title, or begin with it."""
    whole = named[:-1]
    begins = told[: len(whole)] == whole and len(told) > len(whole) and told[len(whole)].startswith(named[-1])
    return begins or named[: len(told)] == told


def _is_variant(name: str, title: str) -> bool:
    rest = one_line(name).casefold().removeprefix(one_line(title).casefold())
    return bool(_VARIANT.match(rest))


def _size(found: Iterable[str]) -> float:
    """Return the number of words; where single letters are words, of pairs of them."""
    return sum(1.0 if len(word) > 1 else 0.5 for word in found)


def note(titles: dict[str, str], cell: str, title: str) -> None:
    """Take a row in: a cell keeps its title as long as its rows are variants of one product, else it has an empty one."""
    known = titles.setdefault(cell, title)
    if known and title and known != title and _key(known) != _key(title):
        titles[cell] = ""


def _key(title: str) -> str:
    return stem(title) or " ".join(words(title))


def of_column(
    categories: Mapping[str, int], titles: Mapping[str, str], paths: Callable[[str], Iterable[Category]]
) -> Titles:
    """Return what all cells (with their rows) and the titles of those that have one say; ``paths`` are those of a cell."""
    owners = dict[Category, str]()
    classes, rows, deep = set[Category](), 0, 0
    for cell, count in categories.items():
        title = one_line(untagged(titles[cell])) if titles.get(cell) else ""
        for path in paths(cell):
            classes |= {path[:depth] for depth in range(1, len(path))}
            if cell in titles and (not title or _key(owners.setdefault(path, title)) != _key(title)):
                classes.add(path)
        deep += count * any(len(path) > 1 for path in paths(cell))
        likely = (likeness(path[-1], title) for path in paths(cell) if title)
        rows += count * any(size >= max(needed, 2) for size, needed, _ in likely)
    total = sum(categories.values())
    return Titles(frozenset(classes), rows >= USUAL * total > 0, deep > total / 2)
