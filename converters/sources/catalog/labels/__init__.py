"""Category cells to paths: the whole column decides how a cell is read, and what is no label is a counted reason."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from converters.sources.catalog.columns import CUT, Cells, Columns
from converters.sources.catalog.labels import kinds
from converters.sources.catalog.labels.evidence import decide
from converters.sources.catalog.labels.find import Finder, Found
from converters.sources.catalog.labels.kinds import CODE, ID, SENTENCE
from converters.sources.catalog.labels.paths import ARROW
from converters.sources.catalog.labels.pick import Placement, pick
from converters.sources.catalog.labels.reading import Reading
from converters.sources.catalog.labels.titles import CUT as CUT_TITLE
from converters.sources.catalog.labels.titles import Titles, of_column
from converters.sources.catalog.labels.weak import hold
from converters.sources.catalog.taxonomy import Previous
from converters.sources.google_taxonomy import Category, Taxonomy
from converters.text.html import untagged
from converters.text.none import is_none
from converters.text.sanitize import one_line

NEEDED = {
    ID: "ids, such as {}: the names are in another file; give Google's or Shopify's with --option taxonomy=FILE",
    CODE: "codes, such as {}: if the shop has a file of their names, give it with --option categories=FILE",
}
CACHED = 1 << 16
_CODED = re.compile(r'\{"code": "([^"]*)"\}')
OUTSIDE = "one of several categories left out: not in the taxonomy"
GAP = "a column of the category is blank before a filled one: the path lacks it"
# What a level that repeats the ones above it has after them: "Home > Mugs" beside "Home".
_BELOW = re.compile(rf"\s*(?:{ARROW.pattern})\s*(?=\S)")


@dataclass(frozen=True, slots=True)
class Labels:
    """How the cells of one entry are read.

    ``chosen`` are the options that the column itself decided (separator, several, ...), as a user could have given them;
    ``lines`` say what was seen, one sentence each, for the user to read. ``counts`` are the rows of each path.
    """

    columns: Columns
    tree: Taxonomy | None = None
    chosen: dict[str, object] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    counts: Mapping[Category, int] = field(default_factory=dict)
    find: Callable[[str], Found] = lambda _: Found()
    finder: Finder = field(default_factory=lambda: Finder(Reading(), Columns()))
    titles: Titles = field(default_factory=Titles)

    def place(self, cells: Cells, title: str) -> Placement:
        """Return the category of a row."""
        if not self.columns.category:
            return Placement()
        cell = category_cell(cells, self.columns)
        found, cut = self.find(cell), False
        if found.reason == SENTENCE:
            found = self.finder.shortened(cell, lambda path: self._untitled(path, title))
            cut = bool(found.paths)
        if not found.paths:
            return Placement((), found.reason, found.notes, found.detail)
        paths = [self._untitled(path, title) for path in found.paths]
        gap = (GAP,) * _has_gap(cells, self.columns)
        notes = (*found.notes, *gap, *(CUT_TITLE,) * (cut or paths != [*found.paths]))
        if not any(paths):
            return Placement((), "category is the title", notes)
        inside = [path for path in paths if self.tree and path in self.tree.paths]
        picked = pick(inside or paths, self.columns.pick, self.counts)
        outside = (OUTSIDE,) * bool(inside and len(inside) < len(paths))
        picked = picked._replace(notes=(*notes, *picked.notes, *outside))
        if not picked.path or not self.tree or picked.path in self.tree.paths:
            return picked
        placed = _in_tree(picked.path, picked.notes, self.columns.remap, self.tree)
        return placed._replace(detail="; ".join(filter(None, (picked.detail, placed.detail))))

    def _untitled(self, path: Category, title: str) -> Category:
        """Return a path without a last node that is the product; one that the taxonomy has is whole."""
        return path if self.tree and path in self.tree.paths else self.titles.without(path, title)


def category_cell(cells: Cells, columns: Columns) -> str:
    """Return a row's cell of categories; of several columns, a JSON list with the list of their nodes."""
    if len(columns.category) == 1:
        return cells[columns.category[0]]
    path, above = list[str](), ""
    for node in filter(None, _levels(cells, columns)):
        repeated = _BELOW.match(node, len(above)) if above and node.startswith(above) else None
        path.append(node[repeated.end() :] if repeated else node)
        above = node
    return json.dumps([path], ensure_ascii=False) if path else ""


def _levels(cells: Cells, columns: Columns) -> list[str]:
    nodes = (one_line(untagged(cells[column])) for column in columns.category)
    return ["" if is_none(node) else node for node in nodes]


def _has_gap(cells: Cells, columns: Columns) -> bool:
    if len(columns.category) == 1:
        return False
    filled = [bool(node) for node in _levels(cells, columns)]
    return filled != sorted(filled, reverse=True)


def read_labels(
    categories: Counter[str],
    columns: Columns,
    tree: Taxonomy | None,
    earlier: Previous | None = None,
    titles: Mapping[str, str] = MappingProxyType({}),
) -> Labels:
    """Look at a whole column of categories, cell texts with their counts, and return how its cells are read.

    ``titles`` are those of cells, as :func:`converters.sources.catalog.labels.titles.note` collects them.
    """
    reading, lines = decide(categories, columns, titles)
    finder = Finder(reading, columns, tree, earlier, kinds.kinds(_read(categories, reading)))
    counts, unread = _found(categories, finder)
    root, seen = _root(counts, columns)
    if root:
        finder = replace(finder, root=root)
        counts, unread = _found(categories, finder)
    lines = [*lines, *seen, *unread]
    chosen = _chosen(categories, columns, reading)
    find = lru_cache(CACHED)(finder.find)
    products = of_column(categories, titles, lambda cell: find(cell).paths)
    return Labels(columns, tree, chosen, tuple(lines), counts, find, finder, products)


def _read(categories: Mapping[str, int], reading: Reading) -> Counter[Category]:
    """Return the rows of each path as it stands, whether or not it is a label."""
    counts = Counter[Category]()
    for cell, count in categories.items():
        if not (is_none(cell.strip()) or kinds.is_address(cell) or kinds.ids(cell)):
            for path in reading.paths(cell)[0]:
                counts[path] += count
    return counts


def _found(categories: Mapping[str, int], finder: Finder) -> tuple[Counter[Category], list[str]]:
    """Return the rows of each label, and sentences on cells of ids and codes, which need another file."""
    counts, unread, examples = Counter[Category](), Counter[str](), dict[str, str]()
    for cell, count in categories.items():
        found = finder.find(cell)
        counts.update(dict.fromkeys(found.paths, count))
        if found.reason in NEEDED and not (found.reason == CODE and finder.columns.categories):
            unread[found.reason] += count
            examples.setdefault(found.reason, (",".join(_CODED.findall(cell)) or cell)[:60])
    lines = [f"category: {hold(unread[reason])} {NEEDED[reason].format(repr(examples[reason]))}" for reason in unread]
    return counts, lines


def _root(paths: Mapping[Category, int], columns: Columns) -> tuple[str, list[str]]:
    """Return the first node that all paths share if it is to be cut, and a sentence on it."""
    roots = {path[0] for path in paths}
    if paths and all(len(path) == 1 for path in paths):
        return "", ["category: all labels are single names; no path above them is known"]
    if len(roots) != 1:
        several = f"category: nothing is cut by root=cut: paths begin with {len(roots):,} different nodes"
        return "", [several] if columns.root == CUT and roots else []
    [root], rows = roots, sum(paths.values())
    if columns.root == CUT:
        return root, [f"category: all {rows:,} paths begin with {root!r}, which is cut"]
    if len(paths) == 1:
        return "", []
    return "", [f"category: all {rows:,} paths begin with {root!r}; --option root=cut takes it off"]


def _chosen(categories: Mapping[str, int], columns: Columns, reading: Reading) -> dict[str, object]:
    """Return the separator and the marks between paths as options, if these alone read all cells in the same way."""
    separator = reading.separator or reading.mark or _arrow(categories)
    several = (*reading.several, *reading.weak)
    named = Reading(separator, several=several, nested=reading.nested)
    if any(named.paths(cell) != reading.paths(cell) for cell in categories):
        return {}
    chosen = {"separator": separator if columns.separator is None else None}
    return {name: value for name, value in chosen.items() if value} | (
        {"several": [*several]} if several and columns.several is None else {}
    )


def _arrow(categories: Mapping[str, int]) -> str | None:
    arrows = Counter(found[0] for cell in categories if (found := ARROW.search(cell)))
    return arrows.most_common(1)[0][0] if arrows else None


def _in_tree(path: Category, notes: tuple[str, ...], remap: bool, tree: Taxonomy) -> Placement:
    kind, nearest, sure = tree.match(path)
    if remap and sure:
        return Placement(nearest, "", (*notes, f"category {kind} in the taxonomy: remapped"))
    name = repr(" > ".join(path))
    detail = f"nearest to {name}: {' > '.join(nearest)!r}" if nearest else f"nothing near {name}"
    return Placement((), f"category not in the taxonomy: {kind}", notes, detail)
