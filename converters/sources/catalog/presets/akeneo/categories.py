"""Akeneo's categories: codes of several trees, their parents and their labels by locale."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from converters.core.errors import InputError, nearest
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.presets.akeneo.names import nearest_locale

NAMES = ("categories.csv", "category.csv")  # of the export of categories, which is read beside that of products


def beside(path: Path) -> str | None:
    """Return the export of the categories that lies beside a file."""
    return next((str(file) for name in NAMES if (file := path.with_name(name)).is_file()), None)


class Tree(NamedTuple):
    """The categories by folded code: the parent's code and the label, empty where there is none; and the roots as written."""

    parents: Mapping[str, str]
    labels: Mapping[str, str]
    roots: tuple[str, ...]

    def trail(self, code: str) -> list[str]:
        """Return folded codes from the root down to a code, itself included; an unknown code has none."""
        codes, code = list[str](), code.strip().casefold()
        while code in self.parents and code not in codes:
            codes.append(code)
            code = self.parents[code]
        return codes[::-1]

    def fullest(self, cells: Counter[str]) -> str | None:
        """Return the root that most products have a category of; of equals, the one with more of these categories."""
        products, used = Counter[str](), defaultdict[str, set[str]](set)
        for cell, count in cells.items():
            trails = [trail for code in cell.split(",") if (trail := self.trail(code))]
            products.update(dict.fromkeys((trail[0] for trail in trails), count))
            for trail in trails:
                used[trail[0]].add(trail[-1])
        return max(self.roots, key=lambda root: (products[root.casefold()], len(used[root.casefold()])), default=None)


def read_tree(path: str, locale: str) -> Tree:
    """Read an export of categories with their labels in a locale, else in its language, else in the fullest locale."""
    parents, labels, roots, filled = dict[str, str](), dict[str, Cells](), list[str](), Counter[str]()
    for _, cells in table_rows(Path(path), ("code", "parent")):
        if not isinstance(cells, Outcome) and (code := cells["code"].strip()):
            parents[code.casefold()] = cells["parent"].strip().casefold()
            labels[code.casefold()] = cells
            roots += [code] * (not cells["parent"].strip())
            filled.update({name: bool(cell.strip()) for name, cell in cells.items() if name.startswith("label-")})
    if not filled:
        raise InputError(f"{path}: no column 'label-...', such as label-en_US: export the categories with their labels")
    locales = {column.removeprefix("label-"): column for column in sorted(filled, key=filled.__getitem__, reverse=True)}
    column = locales[nearest_locale(locale, [*locales]) or next(iter(locales))]
    named = {code: cells[column].strip() for code, cells in labels.items()}
    return Tree(parents, {c: "" if n.casefold() == f"[{c}]" else n for c, n in named.items()}, tuple(roots))


def placing(columns: Columns) -> Callable[[str], str]:
    """Return how a cell of codes becomes a JSON list of paths; where none of its codes has one, a list of ``{"code": ...}``."""
    if not columns.categories:
        return _as_codes
    tree = read_tree(columns.categories, columns.locale or "")
    if columns.tree and columns.tree.casefold() not in tree.parents:
        raise InputError(f"{columns.categories}: no category {columns.tree!r}{nearest(columns.tree, tree.roots)}")
    top = (columns.tree or "").casefold()

    @lru_cache(1 << 16)
    def place(cell: str) -> str:
        trails = (tree.trail(code) for code in cell.split(","))
        below = (trail[trail.index(top) + 1 :] if top in trail else () if top else trail[1:] for trail in trails)
        paths = [path for codes in below if (path := [tree.labels[code] for code in codes]) and all(path)]
        return json.dumps(paths, ensure_ascii=False) if paths else _as_codes(cell)

    return place


def _as_codes(cell: str) -> str:
    return json.dumps([{"code": code.strip()} for code in cell.split(",") if code.strip()], ensure_ascii=False)
