"""The first look at an entry's files: every category cell with its count, and whether the rows of a group stand together."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from converters.schema import Outcome
from converters.sources.catalog import lookalikes
from converters.sources.catalog.attributes.spec_lists import form_of
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.labels import category_cell
from converters.sources.catalog.labels.titles import note
from converters.sources.catalog.products import group_key

ENOUGH = 1000  # cells that show the form of a column of specs


@dataclass(slots=True)
class Survey:
    """What is known of the files before the first row is converted.

    ``categories`` counts the cells of categories as :func:`converters.sources.catalog.labels.category_cell` gives them;
    ``titles`` has the title of those that are of one product, an empty one for the others;
    ``scattered`` tells that rows of one group are apart; ``parents`` are hashes of the ids of rows without a group's key that
    others have as theirs; ``forms`` are those of most cells of each column of specs; ``lines`` say what a user should know.
    """

    rows: int = 0
    titles: dict[str, str] = field(default_factory=dict)
    products: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    scattered: bool = False
    parents: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    forms: dict[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


@dataclass(slots=True)
class _Groups:
    """Hashes of the groups' keys, one for each run of rows, and of the ids of rows without one."""

    keys: "array[int]" = field(default_factory=lambda: array("q"))
    alone: "array[int]" = field(default_factory=lambda: array("q"))
    before: str = ""
    products: int = 0

    def note(self, key: str, identifier: str) -> None:
        if key and key != self.before:
            self.keys.append(hash(key))
        elif not key and identifier:
            self.alone.append(hash(identifier))
        self.products += not key or key != self.before
        self.before = key


def survey(rows: Iterable[tuple[str, Cells | Outcome]], columns: Columns) -> Survey:
    """Read all rows once; memory grows with the number of different categories, and by 8 bytes a row."""
    result, groups, titles = Survey(), _Groups(), lookalikes.LookAlikes()
    forms = {column: Counter[str]() for column in columns.specs}
    for _, cells in rows:
        result.rows += 1
        if isinstance(cells, Outcome):
            continue
        if columns.category and (cell := category_cell(cells, columns)):
            result.categories[cell] += 1
            note(result.titles, cell, cells[columns.title])
        _count_forms(forms, cells)
        key = group_key(cells, columns) if columns.group else ""
        if not key:
            lookalikes.note(titles, cells, columns)
        if columns.group:
            groups.note(key, cells[columns.id].strip())
        else:
            result.products += 1
    result.forms = {column: max(counts, key=counts.__getitem__) for column, counts in forms.items() if counts}
    if columns.group:
        _tie(result, groups, columns.group)
    if line := lookalikes.sentence(titles, columns):
        result.lines += (line,)
    return result


def _tie(result: Survey, groups: _Groups, column: str) -> None:
    different, alone = np.unique(np.array(groups.keys, np.int64)), np.array(groups.alone, np.int64)
    result.parents = alone[np.isin(alone, different)]
    count = len(result.parents)
    result.scattered = len(different) < len(groups.keys) or count > 0
    result.products = groups.products - (len(groups.keys) - len(different) + count)
    if count:
        what = "row without {!r} is the parent" if count == 1 else "rows without {!r} are the parents"
        result.lines += (
            f"{count:,} {what.format(column)} of rows that have {'its id' if count == 1 else 'their ids'} there",
        )


def _count_forms(forms: Mapping[str, Counter[str]], cells: Cells) -> None:
    for column, counts in forms.items():
        if (cell := cells[column]) and counts.total() < ENOUGH:
            counts[form_of(cell)] += 1
