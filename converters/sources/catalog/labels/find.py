"""The labels of one category cell, or the reason why it has none."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from converters.sources.catalog.columns import Columns
from converters.sources.catalog.labels import kinds
from converters.sources.catalog.labels.kinds import Kinds
from converters.sources.catalog.labels.paths import is_broken
from converters.sources.catalog.labels.pick import Placement
from converters.sources.catalog.labels.reading import Reading
from converters.sources.catalog.taxonomy import Previous
from converters.sources.google_taxonomy import Category, Taxonomy
from converters.text.none import is_blank, is_none

LAST = "last node of the category is a word for none: cut"
WITHIN = "node within the category is a word for none: the path lacks it"
NONE, NO_ID = "no category", "category id not in the taxonomy"


class Found(NamedTuple):
    """The paths of a cell, or the reason why it has none; ``notes`` tell what was left out of it."""

    paths: tuple[Category, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finder:
    """What is known of an entry's categories: how cells are read, what is no label, and the root to cut."""

    reading: Reading
    columns: Columns
    tree: Taxonomy | None = None
    earlier: Previous | None = None
    kinds: Kinds = field(default_factory=Kinds)
    root: str = ""

    def find(self, cell: str) -> Found:
        """Return the paths of a cell that are labels."""
        text = cell.strip()
        if not text or (is_none(text) and (text[0] not in "[{(" or text[1:-1].isalnum())):
            return Found(reason=f"{NONE}: {text!r}" if text else NONE)
        if kinds.is_address(text):
            return Found(reason=kinds.URL)
        if identifiers := kinds.ids(text):
            return self._sorted([self._by_id(identifier) for identifier in identifiers])
        if kinds.is_code_list(text) and not (self.columns.separator and self.columns.separator in text):
            return Found(reason=kinds.CODE)
        paths, doubtful = self.reading.paths(cell)
        if doubtful:
            return Found(reason=f"several categories, or a name with {doubtful!r}: it cannot be told")
        if not paths:
            # An object may have a code alone, as presets write codes that are in no file of categories.
            nameless = kinds.NAMELESS if "{" in text else NONE
            return Found(reason=kinds.CODE if '"code"' in text else kinds.BROKEN if is_broken(text) else nameless)
        return self._sorted([self._label(path) for path in paths])

    def shortened(self, cell: str, cut: Callable[[Category], Category]) -> Found:
        """Return the labels of a cell whose paths end in more than a name, where ``cut`` takes it off."""
        paths = self.reading.paths(cell)[0]
        shorter = [path for path in map(cut, paths) if path and path not in paths]
        return self._sorted([self._label(path) for path in shorter]) if shorter else Found(reason=kinds.SENTENCE)

    def _sorted(self, labels: list[Placement]) -> Found:
        """Return the labels that are some, with notes on the others, or the first reason."""
        paths = tuple(dict.fromkeys(label.path for label in labels if label.path))
        notes = tuple(note for label in labels for note in label.notes)
        bad = [label for label in labels if not label.path]
        if paths:
            left = tuple(dict.fromkeys(f"one of several categories left out: {label.reason}" for label in bad))
            return Found(paths, "", notes + left)
        return Found((), bad[0].reason, notes, bad[0].detail)

    def _label(self, path: Category) -> Placement:
        if self.tree and path in self.tree.paths:
            return self._now(Placement(path))
        if len(path) == 1 and (identifiers := kinds.ids(path[0])):
            return self._by_id(identifiers[0])
        if known := self._known(path):
            return Placement(known)
        path = self._without_id(path)
        if self._ignored(path):
            return Placement((), f"category left out by 'ignore': {' > '.join(path)!r}")
        filed = path
        while len(filed) > 1 and filed[-1] and is_none(filed[-1]):
            filed = filed[:-1]
        named = tuple(node for node in filed if not (node and is_blank(node))) or filed
        if reason := self.kinds.reason(named):
            return Placement((), reason)
        notes = (LAST,) * (filed != path) + (WITHIN,) * (named != filed)
        filed = named
        if self.root and filed[0] == self.root:
            return self._now(Placement(filed[1:], f"{NONE} below the root {self.root!r}", notes))
        return self._now(Placement(filed, "", notes))

    def _ignored(self, path: Category) -> bool:
        """Tell whether a path, or one that it is below, is to be ignored, by its last name or in full."""
        ignored = {" > ".join(self.reading.nodes(text)).casefold() for text in self.columns.ignore}
        if not ignored:
            return False
        cut = path[1:] if path[0] == self.root else path
        prefixes = {" > ".join(each[:depth]).casefold() for each in (path, cut) for depth in range(1, len(each) + 1)}
        return bool(ignored & (prefixes | {path[-1].casefold()}))

    def _by_id(self, identifier: str) -> Placement:
        if not self.tree:
            return Placement((), kinds.ID)
        if path := self.tree.by_id(identifier):
            return Placement(path)
        was = self.earlier.by_id(identifier) if self.earlier else ()
        return self._now(Placement(was)) if was else Placement((), NO_ID, (), f"{identifier} is no id of the taxonomy")

    def _now(self, label: Placement) -> Placement:
        """Return a label of an earlier release as the taxonomy in use has it."""
        change = self.earlier.change(label.path) if self.earlier else None
        if not change:
            return label
        return Placement(change.path, change.reason, (*label.notes, *change.notes), change.detail)

    def _known(self, path: Category) -> Category:
        """Return the path of ``4301 - Kitchen > Kettles`` by its id, if the taxonomy has it."""
        found = kinds.with_id(path)
        return self.tree.by_id(found[1]) if found and self.tree else ()

    def _without_id(self, path: Category) -> Category:
        """Return a path without the id before it, where the column has ids throughout."""
        found = kinds.with_id(path)
        return (path[0][found.end() :], *path[1:]) if found and self.kinds.numbered else path
