"""Category cells to paths: the whole column decides how a cell is read, and what is no label is a counted reason."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from converters.sources.catalog.cells import parse_category, without_title
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.taxonomy import Previous, settled
from converters.sources.google_taxonomy import Category, Taxonomy
from converters.text.html import untagged
from converters.text.sanitize import one_line


class Placement(NamedTuple):
    """A product's category path, or the reason why there is none; ``notes`` and ``detail`` are as in an outcome."""

    path: Category = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """How the cells of one entry are read.

    ``chosen`` are the options that the column itself decided (separator, several, ...), as a user could have given them;
    ``lines`` say what was seen, one sentence each, for the user to read.
    """

    columns: Columns
    tree: Taxonomy | None = None
    earlier: Previous | None = None
    chosen: dict[str, object] = field(default_factory=dict)
    lines: tuple[str, ...] = ()

    def place(self, cells: Cells, title: str) -> Placement:
        """Return the category of a row."""
        columns = self.columns
        if not columns.category:
            return Placement()
        if len(columns.category) == 1:
            nodes = parse_category(cells[columns.category[0]], columns.separator)
        else:
            nodes = tuple(filter(None, (one_line(untagged(cells[column])) for column in columns.category)))
        path = without_title(nodes, title)
        notes = ("last node of the category is the title: cut",) * (len(path) < len(nodes))
        if not path:
            return Placement((), "category is the title" if nodes else "no category", notes)
        if not all(path) or any(">" in node for node in path):
            return Placement((), "category with an empty node or a '>'", notes)
        if not self.tree:
            return Placement(path, "", notes)
        found = settled(path, self.tree, self.earlier, columns.remap)
        return Placement(found.path, found.reason, notes + found.notes, found.detail)


def read_labels(
    categories: Counter[str], columns: Columns, tree: Taxonomy | None, earlier: Previous | None = None
) -> Labels:
    """Look at a whole column of categories, cell texts with their counts, and return how its cells are read."""
    return Labels(columns, tree, earlier)
