"""The first look at an entry's files: every category cell with its count, and whether the rows of a group stand together."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from converters.schema import Outcome
from converters.sources.catalog import lookalikes
from converters.sources.catalog.attributes.spec_lists import form_of
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.labels import category_cell

ENOUGH = 1000  # cells that show the form of a column of specs


@dataclass(slots=True)
class Survey:
    """What is known of the files before the first row is converted.

    ``categories`` counts the cells of categories as :func:`converters.sources.catalog.labels.category_cell` gives them;
    ``scattered`` tells that rows of one group are apart; ``forms`` are those of most cells of each column of specs; ``lines``
    say what a user should know of them.
    """

    rows: int = 0
    products: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    scattered: bool = False
    forms: dict[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


def survey(rows: Iterable[tuple[str, Cells | Outcome]], columns: Columns) -> Survey:
    """Read all rows once; memory grows with the number of different categories, and by 8 bytes a group."""
    result, keys, before, titles = Survey(), array("q"), "", lookalikes.LookAlikes()
    forms = {column: Counter[str]() for column in columns.specs}
    for _, cells in rows:
        result.rows += 1
        if isinstance(cells, Outcome):
            continue
        if columns.category and (cell := category_cell(cells, columns)):
            result.categories[cell] += 1
        _count_forms(forms, cells)
        key = cells[columns.group].strip() if columns.group else ""
        if not key:
            lookalikes.note(titles, cells, columns)
        elif key != before:
            keys.append(hash(key))
        result.products += not key or key != before
        before = key
    result.forms = {column: max(counts, key=counts.__getitem__) for column, counts in forms.items() if counts}
    if keys:
        different = len(np.unique(np.frombuffer(keys, np.int64)))
        result.scattered = different < len(keys)
        result.products -= len(keys) - different
    if line := lookalikes.sentence(titles, columns):
        result.lines += (line,)
    return result


def _count_forms(forms: Mapping[str, Counter[str]], cells: Cells) -> None:
    for column, counts in forms.items():
        if (cell := cells[column]) and counts.total() < ENOUGH:
            counts[form_of(cell)] += 1
