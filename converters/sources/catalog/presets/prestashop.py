"""PrestaShop's product file in the layout of its import (thirty bees has the same), or the export of its list of products.

The names of columns are translated, but not their form: ``Active (0/1)``, ``Categories (x,y,z...)``,
``Feature (Name:Value:Position:Customized)``.

* Several categories and features are joined by the separator of lists, which is chosen at import: as a rule "," where columns are
  parted by ";", and ";" where they are parted by ",". Features, or else categories, show it. Where lists are joined without a
  blank, a separator before one belongs to a name (``Home/Cords, plugs``) unless a category of other rows follows.
* A category is a name, a path with "/", or an id, which is no label. Where all lists of names begin with the same one, it is the
  shop's root, which is left out, as the command says.
* Attributes are the manufacturer as Brand and the features. Products that are not active are counted.
* Combinations (variants) stand in a file of their own, without titles; it is recognised and refused.

Format: the platform's AdminImportController and sample files; names of columns in French and Spanish from public code.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.delimited import delimiter_of
from converters.io.tables import Sparse
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.attributes.spec_lists import positions
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head, head
from converters.text.sanitize import one_line

TITLE = "a PrestaShop product file"
_ACTIVE = re.compile(
    r"a[ckt]{0,2}ti?[vfyi]\w*\s*\(0\b.*1.*\)", re.IGNORECASE
)  # Active, Actif, Activo, Attivo, Aktiv, Aktywny
_CATEGORIES = re.compile(r"[ck]at[eé]g\w+\s*\(x\s*,\s*y.*\)", re.IGNORECASE)
_FEATURES = re.compile(r"[^():]*\([^():]+:[^():]+:[^():]+(?::[^():]+)?\)\W*")
_COMBINATION = re.compile(r"[^():]*\([^():]+:[^():]+\)\W*")  # "Value (Value:Position)*"
_NAMES = ("name", "nom", "nombre", "nome", "naam", "nazwa", "název", "nume", "namn", "navn", "név")
_IDS = (
    "product id",
    "id",
    "id produit",
    "id producto",
    "id prodotto",
    "produkt-id",
    "artikel-id",
    "reference",
    "référence",
)
_BRANDS = (
    *("manufacturer", "brand", "marque", "fabricant", "marca", "fabricante", "produttore", "marke", "hersteller"),
    *("merk", "fabrikant", "producent", "marka", "značka", "výrobce"),
)
_SUMMARIES = (
    *("summary", "short description", "récapitulatif", "résumé", "description courte", "resumen", "descripción corta"),
    *("riepilogo", "descrizione breve", "zusammenfassung", "kurzbeschreibung", "samenvatting", "korte omschrijving"),
    *("podsumowanie", "krótki opis", "resumo", "descrição curta"),
)
_DESCRIPTIONS = (
    *("description", "descripción", "descrizione", "beschreibung", "omschrijving", "beschrijving", "opis", "descrição"),
    *("popis", "descriere", "beskrivning", "beskrivelse", "leírás"),
)
_LIST = ("Product ID", "Name", "Reference", "Category", "Price (tax excl.)", "Status")  # of the list of products
_FEATURE = re.compile(
    r":\s*\d+(?:\s*:\s*[01])?\s*([,;|])\s*[^,;|:]+:"
)  # a feature's end, the separator, the next one's name


def recognise(head: Head) -> Evidence | None:
    """Recognise the forms of columns' names, in any language; a file of combinations, too, which is no catalogue."""
    if _is_combinations(head):
        return Evidence(2, 2)
    active, categories, features = (_like(head, form) for form in (_ACTIVE, _CATEGORIES, _FEATURES))
    if not (active or categories):
        listed = head.evidence(*_LIST)
        return listed if listed.found == listed.typical else None
    lists = features or next((column for column in head.columns if "(x,y,z" in column and column != categories), None)
    texts = _named(head, (*_DESCRIPTIONS, *_SUMMARIES))
    found = (active, _named(head, _NAMES), categories, lists, texts)
    return Evidence(sum(map(bool, found)), len(found))


def options(head: Head) -> Mapping[str, Any]:
    """Return the options; a file of combinations is an ``InputError``."""
    if _is_combinations(head):
        raise InputError(
            f"{head.path}: combinations (variants) of PrestaShop, which have no title and no category: convert the file of "
            "products; with both of them in one table, give --option preset=none and the columns"
        )
    active, features = _like(head, _ACTIVE) or head.present("Status"), _like(head, _FEATURES)
    categories, title = _like(head, _CATEGORIES), _named(head, _NAMES)
    texts = {"Summary": _named(head, _SUMMARIES), "Description": _named(head, _DESCRIPTIONS)}
    brand = _named(head, _BRANDS)
    several = _separator(head, categories, features) if categories else ""
    return {
        "id": _named(head, _IDS) or title,
        "title": title,
        "category": categories or head.present("Category"),
        # The list of products has the name of one category, which may hold a slash.
        "separator": head.separator(categories, "/") if categories else ">",
        "several": several or [],
        "ignore": _root(head, categories, several) if categories else [],
        "texts": {label: column for label, column in texts.items() if column},
        "attributes": {"Brand": brand} if brand else {},
        "specs": [features] if features else [],
        "status": {active: ["0", "no", "false"]} if active else {},
    }


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say which category is left out as the shop's root."""
    if not options.get("ignore") or "ignore" in head.given:
        return []
    name = options["ignore"][0]
    return [f"category {name!r} begins all lists and is left out as the shop's root: --option ignore=[] keeps it"]


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows, separators of lists that belong to a name escaped, and features as JSON."""
    mark = (columns.several or ("",))[0]
    for path in paths:
        first = head(path, columns.encoding)
        categories, features = _like(first, _CATEGORIES) or "", _like(first, _FEATURES) or ""
        known = _categories(first, categories, mark) if mark and categories in columns.category else frozenset[str]()
        for where, cells in table_rows(path, columns.needed, columns.encoding):
            if isinstance(cells, Outcome):
                yield where, cells
                continue
            changed = {categories: _escaped(cells[categories], mark, known)} if known else {}
            if pairs := positions(one_line(cells[features]), sure=True):
                changed[features] = json.dumps([{"name": name, "value": value} for name, value in pairs])
            yield where, Sparse({**cells, **changed})


def _categories(head: Head, column: str, mark: str) -> frozenset[str]:
    """Return the categories and roots of a file's first lists if these are joined without a blank, else none."""
    lists = [cell for row in head.rows if (cell := row.get(column, "").strip()) and f"{mark} " not in cell]
    names = {name.strip() for cell in lists for name in cell.split(mark)}
    roots = {name.partition("/")[0] for name in names if "/" in name}
    return frozenset(names | roots) if any(mark in cell for cell in lists) else frozenset()


def _escaped(cell: str, mark: str, known: frozenset[str]) -> str:
    first, *others = cell.split(mark)
    for part in others:
        name = part.strip()
        apart = part[:1] != " " or name.isdigit() or bool({name, name.partition("/")[0]} & known)
        first += (mark if apart else f"\\{mark}") + part
    return first


def _root(head: Head, categories: str, mark: str) -> list[str]:
    """Return the first name of all lists of names, if it is the same, and nothing where there are paths."""
    lists = {cell for row in head.rows if (cell := row.get(categories, "").strip())}
    firsts = {cell.partition(mark)[0].strip() for cell in lists}
    several = sum(mark in cell for cell in lists)
    return [*firsts] if several > 1 and len(firsts) == 1 and not any("/" in cell for cell in lists) else []


def _is_combinations(head: Head) -> bool:
    return bool(_like(head, _FEATURES) and _like(head, _COMBINATION) and not _like(head, _CATEGORIES))


def _like(head: Head, form: re.Pattern[str]) -> str | None:
    return next((column for column in head.columns if form.fullmatch(column.strip())), None)


def _named(head: Head, names: Iterable[str]) -> str | None:
    """Return the first column of one of the names, which may end in a star, a number sign or a dot."""
    columns = {column.strip(" *#.:").casefold(): column for column in reversed(head.columns)}
    return next((columns[name] for name in names if name in columns), None)


def _separator(head: Head, categories: str, features: str | None) -> str:
    """Return what the first features show to part lists, or else the categories, or else the columns' separator."""
    for row in head.rows:
        if features and (match := _FEATURE.search(row.get(features, ""))):
            return match[1]
    line = next(filter(str.strip, head.lines), "")
    usual, other = (";", ",") if delimiter_of(line) == "," else (",", ";")
    cells = [row.get(categories, "") for row in head.rows]
    return next((mark for mark in (usual, "|", other) if any(mark in cell for cell in cells)), usual)
