"""How the category cells of one file are read: its marks between paths and between nodes, and what speaks for them."""

from collections.abc import Iterable
from dataclasses import dataclass

from converters.sources.catalog.labels.paths import ARROW, Piece, nodes, pieces, split
from converters.sources.google_taxonomy import Category


@dataclass(frozen=True, slots=True)
class Reading:
    """The marks of a file.

    ``separator`` is the user's. Without it arrows part nodes wherever they stand, and in cells without one ``mark`` does, or one
    of ``rooted`` if the first node then is one of ``roots``; with ``tight``, the mark parts none where blanks are around it.
    ``several`` part paths; ``weak`` are signs that names hold, too, and part paths only where ``known`` paths or ``roots`` stand
    between them; with ``strict``, such a sign elsewhere is doubtful, as it always is before one of the ``tails``. ``nested``: the
    texts of a list are the nodes of one path.
    """

    separator: str | None = None
    mark: str | None = None
    tight: bool = False
    rooted: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    strict: bool = False
    nested: bool = False
    known: frozenset[Category] = frozenset()
    roots: frozenset[str] = frozenset()
    tails: frozenset[str] = frozenset()

    def nodes(self, text: str) -> Category:
        """Return the nodes of one path."""
        if self.separator or ARROW.search(text):
            return nodes(text, self.separator)
        if self.mark:
            return nodes(text.replace(f" {self.mark} ", f" \\{self.mark} ") if self.tight else text, self.mark)
        for mark in self.rooted:
            if len(path := nodes(text, mark)) > 1 and path[0] in self.roots:
                return path
        return nodes(text, None)

    def paths(self, cell: str) -> tuple[tuple[Category, ...], str]:
        """Return the paths of a cell, and the weak mark that may or may not part them, in which case there are none."""
        found = pieces(cell)
        if self.nested and len(found) > 1 and (texts := [piece for piece in found if isinstance(piece, str) and piece]):
            return self._each([nodes("\0".join(texts), "\0")]), ""
        if len(found) != 1 or not isinstance(found[0], str) or cell.lstrip()[:1] in ("[", "("):
            return self._each(found), ""
        parts = [part for part in split(found[0], self.several) if part]
        for mark in self.weak:
            told = [self._by_evidence(part, mark) for part in parts]
            if not all(told):
                return (), mark
            parts = [part for each in told for part in each]
        return self._each(parts), ""

    def _each(self, found: Iterable[Piece]) -> tuple[Category, ...]:
        paths = (self.nodes(piece) if isinstance(piece, str) else piece for piece in found)
        return tuple(dict.fromkeys(filter(None, paths)))

    def _by_evidence(self, text: str, mark: str) -> tuple[str, ...]:
        """Return what a weak mark parts, the whole text where nothing speaks for it, and nothing where it cannot be told."""
        parts = [part for part in split(text, (mark,)) if part]
        if len(parts) < 2:
            return (text,)
        first, *others = (self.nodes(part) for part in parts)
        supported = [self.supports(path, first) for path in others]
        if all(supported) and (first in self.known or related(first, others) or len(first) > 1):
            return tuple(parts)
        doubtful = self.strict or any(supported) or first in self.known or parts[-1] in self.tails
        return () if doubtful else (text,)

    def supports(self, path: Category, first: Category) -> bool:
        """Tell whether a part is a path of other cells, begins at a root of theirs, or belongs to the cell's first part."""
        return path in self.known or (len(path) > 1 and path[0] in self.roots) or related(first, [path])


def related(first: Category, others: Iterable[Category]) -> bool:
    """Tell whether a path begins as another does: with its root where both have more nodes, or with the whole of it."""
    return any(
        first[:1] == path[:1] and (min(len(first), len(path)) > 1 or first != path) for path in others if first and path
    )
