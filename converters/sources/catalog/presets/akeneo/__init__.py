"""Akeneo's product export, beside which its categories and its product models may lie.

Categories are codes of several trees (``categories.csv``: ``code;parent;label-en_US``), values are codes of options, and a
column is an ``attribute[-locale][-channel][-currency or unit]``. Variants point to a product model, which may point to another.
Format: docs.akeneo.com, "Formats: product, product model, category", and the demo catalogue.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.files import need_columns
from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head
from converters.sources.catalog.presets.akeneo.categories import NAMES, beside, placing, read_tree
from converters.sources.catalog.presets.akeneo.names import IDS, Look, is_asked, is_text, look, nearest_locale, parsed

TITLE = "an Akeneo product export"
COMPANIONS = NAMES
IN_OTHER_FILE = "no title: its product model is in another file"
_TITLES = (
    "name", "title", "product_name", "product_title", "label", "erp_name", "item_name", "display_name", "variation_name",
    "nom", "libelle", "designation", "bezeichnung", "produktname", "titel", "artikelname", "nombre", "titulo", "nome",
    "naam", "namn", "navn", "nazwa", "nazev", "nev",
)  # fmt: skip
_CODES = re.compile(r"(?!\d+,\d+$)\w+(?:,\w+)+")  # of a multi-select; no decimal comma
_DECIMAL = re.compile(r"(-?\d+)(?:[.,]0{4}|([.,]\d{0,3}[1-9])0{1,3})")  # four decimals, as all are written


def recognise(head: Head) -> Evidence | None:
    """Recognise columns of the system beside columns by locale, or columns that no other platform has; paths are no codes."""
    names = [parsed(column) for column in head.columns]
    present = {name.code for name in names}
    family, local = present & {"family", "family_variant"}, any(name.locale for name in names)
    states = present & {"enabled", "groups", "parent"}
    column = head.present("categories")
    plain = column and any(re.search(r"[^\w,\s-]|\w\s+\w", row[column]) for row in head.rows)
    if not family or plain or not (local or "family_variant" in family or len(states) > 1):
        return None
    signs = (present & {*IDS}, column, family, states, local or any(name.unit for name in names))
    return Evidence(sum(map(bool, signs)), len(signs))


def options(head: Head) -> Mapping[str, Any]:
    """Return the options: title and texts in one locale, every other filled column that is not technical as an attribute."""
    seen = look(head.paths or (head.path,), head.given.get("encoding"))
    system = {column.casefold(): column for column in reversed(seen.columns)}
    codes = dict.fromkeys(
        parsed(column).code for column in seen.columns if seen.filled[column] and is_asked(column, seen)
    )
    title = next((code for code in _TITLES if code in codes), "")
    title = title or next((code for code in codes if code.endswith(("name", "title")) and "brand" not in code), "")
    _need_title(head, title)
    locale = _locale(head, seen, title, [*codes])
    columns = {code: column for code in codes if (column := seen.best(code, locale)) and column in seen.telling}
    texts = {code for code, column in columns.items() if is_text(code, seen.length[column] / seen.filled[column])}
    names = {code: code.replace("_", " ").strip().capitalize() for code in columns}
    others = {names[code]: column for code, column in columns.items() if code not in {*texts, *_TITLES, title}}
    others = {name: column for name, column in others.items() if column != head.given.get("title")}
    units = {name: f"{column}-unit" for name, column in others.items() if f"{column}-unit" in seen.columns}
    categories = head.given.get("categories") or beside(head.path)
    return {
        "id": next((system[name] for name in IDS if name in system), "sku"),
        "title": seen.best(title, locale) or "title",
        "category": system.get("categories"),
        "texts": {names[code]: columns[code] for code in columns if code in texts and code != title},
        "attributes": others,
        "units": units,
        "group": system.get("parent"),
        "variants": 1,
        "status": {system["enabled"]: ["0", "false"]} if "enabled" in system else {},
        "locale": locale or None,
        "categories": categories,
        "tree": read_tree(categories, locale).fullest(seen.codes) if categories else None,
    }


def remarks(head: Head, options: Mapping[str, Any]) -> list[str]:
    """Return what was chosen among several locales and trees, unless the user did."""
    locales = dict.fromkeys(name.locale for name in map(parsed, head.columns) if name.locale)
    named = f"texts in {options['locale']}, of {', '.join(locales)}: --option locale=..."
    lines = [named] * (len(locales) > 1 and "locale" not in head.given)
    if not options.get("categories") or head.given.get("tree"):
        return lines
    tree = read_tree(options["categories"], options.get("locale") or "")
    most = f"categories of the tree {options['tree']!r}, which holds most products, of {', '.join(tree.roots)}"
    return [*lines, f"{options['categories']}: {most}: --option tree=..."]


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield products and product models as one group, categories as paths of labels, numbers without zeros at their end."""
    place = placing(columns)
    present = {path: _columns(path, columns.encoding) for path in paths}
    need_columns(paths[0], list(dict.fromkeys(name for names in present.values() for name in names)), columns.needed)
    parents = _parents({path: names for path, names in present.items() if _has_models(names)}, columns.encoding)
    titles = [name for path in paths for name in present[path] if parsed(name).code == parsed(columns.title).code]
    for path in paths:
        code, parent = _named("code", present[path]), _named("parent", present[path])
        for where, cells in table_rows(path, (), columns.encoding):
            if isinstance(cells, Outcome):
                yield where, cells
            elif reason := _untitled(cells, cells[parent].strip(), parents, titles, columns):
                yield where, Outcome(where, reason=reason)
            else:
                own = cells[code].strip() if _has_models(present[path]) else ""
                system = {columns.id: own} if own else {}
                if columns.group == parent:
                    system[parent] = _root(cells[parent].strip(), parents) or own
                changed = {column: place(cells[column]) for column in columns.category if cells[column].strip()}
                yield where, Sparse({**cells, **_values(cells, columns), **system, **changed})


def _need_title(head: Head, title: str) -> None:
    """Raise an ``InputError`` where no attribute is known as the title; an export may have labels in place of codes."""
    if title or "title" in head.given:
        return
    labels = next((column for column in head.columns if re.fullmatch(r".+ \(.+\)", column.strip())), None)
    export = f"its columns are labels, such as {labels!r}: export it again with codes, or " if labels else ""
    raise InputError(
        f"{head.path}: no column is known as the title: {export}name it with --option title=COLUMN; its columns: "
        f"{', '.join(head.columns)[:400]}"
    )


def _locale(head: Head, seen: Look, title: str, codes: Sequence[str]) -> str:
    """Return the locale asked for, as the file spells it, or that of most titles, or of most attributes."""
    asked, present = head.given.get("locale"), {name.locale for name in map(parsed, seen.columns) if name.locale}
    if not asked or not present:
        return asked or seen.locale([title]) or seen.locale(codes)
    found = nearest_locale(asked, sorted(present))
    if not found:
        raise InputError(f"{head.path}: no column in locale {asked!r}: the file has {', '.join(sorted(present))}")
    return found


def _columns(path: Path, encoding: str | None) -> tuple[str, ...]:
    return next((tuple(cells) for _, cells in table_rows(path, (), encoding) if not isinstance(cells, Outcome)), ())


def _has_models(columns: Sequence[str]) -> bool:
    names = {column.casefold() for column in columns}
    return "code" in names and not names & {"sku", "identifier", "uuid"}


def _named(name: str, columns: Sequence[str]) -> str:
    return next((column for column in columns if column.casefold() == name), name)


def _parents(files: Mapping[Path, Sequence[str]], encoding: str | None) -> dict[str, str]:
    """Return the parent of every product model, empty for a root: two short texts a model are held."""
    parents = dict[str, str]()
    for path, columns in files.items():
        code, parent = _named("code", columns), _named("parent", columns)
        for _, cells in table_rows(path, (), encoding):
            if not isinstance(cells, Outcome):
                parents[cells[code].strip()] = cells[parent].strip()
    return parents


def _root(code: str, parents: Mapping[str, str]) -> str:
    seen = {""}
    while code not in seen and parents.get(code):
        seen.add(code)
        code = parents[code]
    return code


def _untitled(
    cells: Cells, parent: str, parents: Mapping[str, str], titles: Sequence[str], columns: Columns
) -> str | None:
    """Return why a row without title is none of a product whose title stands in another row."""
    if cells[columns.title].strip():
        return None
    if parent:
        return None if parent in parents else IN_OTHER_FILE
    return f"no title in {parsed(columns.title).locale}" if any(cells[title].strip() for title in titles) else None


def _values(cells: Cells, columns: Columns) -> dict[str, str]:
    """Return cells with several codes as lists, and numbers without the zeros at their end."""
    changed = dict[str, str]()
    for column in columns.attributes.values():
        cell = cells[column].strip()
        if number := _DECIMAL.fullmatch(cell):
            changed[column] = number[1] + (number[2] or "")
        elif _CODES.fullmatch(cell):
            changed[column] = json.dumps(cell.split(","))
    return changed
