"""Google Merchant Center's product feed: delimited text, RSS 2.0 or Atom.

The category is the shop's own ``product_type`` where at least half of its cells at the file's beginning hold a path; Google's
``google_product_category`` where they do not and that one does, or holds more than twice as many, or where a taxonomy is
given. Of several product types the first is the shop's main one. Rows of one ``item_group_id`` stay rows of their own, in one
group. Names may be written with blanks, in any case, with ``g:`` before them, and, in text, in five other languages.
Format: support.google.com/merchants/answer/7052112 (attributes), 14998273 and 9218260 (lists in text and in XML).
"""

import csv
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from converters.io.tables import AHEAD, Sparse
from converters.io.tables import rows as table_rows
from converters.io.xml import elements, is_xml, local
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head

TITLE = "a Google Merchant Center feed"
TYPE, GOOGLE, DETAIL, HIGHLIGHT = "product_type", "google_product_category", "product_detail", "product_highlight"
_ROOTS, _ITEMS = ("rss", "RDF", "channel", "feed"), ("item", "entry")
_TYPICAL = (
    ("id",),
    ("title",),
    ("description", "summary", "content"),
    ("link", "image_link", "price", "availability", "brand", "gtin", "mpn", "condition"),
    (GOOGLE, TYPE),
)
_GOOGLE_ALONE = (GOOGLE, "item_group_id", "image_link", "additional_image_link", "availability", "gtin", DETAIL)
# Not asked: condition, size_type and size_system, whose words ("new", "regular", "US") texts hold in other meanings.
_ATTRIBUTES = ("brand", "color", "size", "material", "pattern", "gender", "age_group")
_BROAD = {*_ATTRIBUTES, TYPE, HIGHLIGHT}  # of these an item may have several
_SLASHED = ("color", "material")  # "/" stands between the colours, or the materials, of one product
_MARKS = (">", "/", "|")  # one of them is in every path
_PARTS = ("section_name", "attribute_name", "attribute_value")
# As help pages and public exporters of feeds write them.
_TRANSLATED = {
    "id": "identifiant",
    "title": "titel titre título titolo",
    "description": "beschreibung descriptif descripción descrizione beschrijving",
    "link": "lien enlace collegamento",
    "image_link": "bildlink lien_image enlace_imagen link_immagine",
    "availability": "verfügbarkeit disponibilité disponibilidad disponibilità beschikbaarheid",
    "price": "preis prix precio prezzo prijs",
    "condition": "zustand état estado condizione staat",
    "item_group_id": "artikelgruppennummer identifiant_groupe identificador_de_grupo identificatore_di_gruppo item_groep_id",
    GOOGLE: "google_produktkategorie catégorie_de_produits_google categoría_en_google_product categoría_de_productos_de_google "
    "categoria_prodotto_google google_productcategorie",
    TYPE: "produkttyp catégorie type_de_produit categoría tipo_de_producto categoria tipo_di_prodotto producttype",
    "brand": "marke marque marca merk",
    "color": "farbe couleur colore kleur",
    "size": "größe taille talla taglia maat",
    "material": "matière materiale materiaal",
    "pattern": "muster motif estampado motivo patroon",
    "gender": "geschlecht sexe sexo sesso geslacht",
    "age_group": "altersgruppe tranche_d'âge edad fascia_d'età leeftijdsgroep",
}
_ENGLISH = {word: name for name, words in _TRANSLATED.items() for word in words.split()}


@lru_cache(1 << 12)
def named(column: str) -> str:
    """Return the name of an attribute as Google's specification has it.

    >>> named("G:Google Product Category"), named("Farbe "), named("product_detail(section_name:attribute_name:attribute_value)")
    ('google_product_category', 'color', 'product_detail')
    """
    name = re.sub(r"[\s_-]+", "_", column.partition("(")[0].strip().casefold().removeprefix("g:"))
    return _ENGLISH.get(name, name)


def recognise(head: Head) -> Evidence | None:
    """Recognise a feed by its attributes' names; ``product_type`` alone, which others have, too, does not make one."""
    known = {*map(named, head.columns)}
    feed = head.root in _ROOTS and bool(known & {TYPE, *_GOOGLE_ALONE})
    table = GOOGLE in known or (TYPE in known and bool(known & {*_GOOGLE_ALONE}))
    if "title" not in known or not (feed if head.root else table):
        return None
    return Evidence(sum(bool(known & {*names}) for names in _TYPICAL), len(_TYPICAL))


def options(head: Head) -> Mapping[str, Any]:
    """Return the options, with the columns' names as the file writes them."""
    known = {named(column): column for column in reversed(head.columns)}
    category = _category(head, known)
    present = {name: known[name] for name in _ATTRIBUTES if name in known}
    texts = {"Description": known.get("description"), "Highlights": known.get(HIGHLIGHT)}
    if head.root and {"summary", "content"} & known.keys():
        texts["Description"] = "description"  # Atom's name for it is one of two
    return {
        "id": known.get("id"),
        "title": known.get("title"),
        "category": category,
        "separator": ">" if category and any(">" in row[category] for row in _first(head)) else None,
        "pick": "first",
        "group": known.get("item_group_id"),
        "texts": {label: column for label, column in texts.items() if column},
        "attributes": {_shown(column): column for column in present.values()},
        "specs": [known[DETAIL]] if DETAIL in known else [],
    }


def _shown(column: str) -> str:
    """Return a column's name as an attribute's name, in the file's own language."""
    name = re.sub(r"[\s_]+", " ", column.partition("(")[0]).strip()
    return re.sub("^g:", "", name, flags=re.IGNORECASE).capitalize()


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say which of the two columns of categories counts, where there are both."""
    known = {named(column): column for column in reversed(head.columns)}
    if "category" in head.given or not {TYPE, GOOGLE} <= known.keys():
        return ()
    chosen = _category(head, known)
    other = next(known[name] for name in (TYPE, GOOGLE) if known[name] != chosen)
    rows, paths = _first(head), _paths(head, chosen)
    seen = f"a path in {paths} of the first {len(rows)} rows"
    return (f"category from {chosen!r} ({seen}); --option {shlex.quote(f'category={other}')} takes the other column",)


def _category(head: Head, known: Mapping[str, str]) -> str | None:
    own, googles = known.get(TYPE), known.get(GOOGLE)
    if not own or not googles:
        return own or googles
    filled = sum(bool(row[own].strip()) for row in _first(head))
    if head.given.get("taxonomy") or _paths(head, own) * 2 < filled or filled * 2 < _paths(head, googles) or not filled:
        # Numbers are as good as paths only if there is a taxonomy to look them up in.
        return googles if head.given.get("taxonomy") or _paths(head, googles) or not filled else own
    return own


def _paths(head: Head, column: str | None) -> int:
    return sum(any(mark in row[column] for mark in _MARKS) for row in _first(head)) if column else 0


def _first(head: Head) -> Sequence[Cells]:
    rows = head.rows or (row for _, row in islice(_items(head.path, head.columns, head.given.get("encoding")), AHEAD))
    return [Sparse(row) for row in rows]


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield the rows, of which each list in one cell is a JSON list and each ``product_detail`` a list of names and values."""
    readers = [(column, reader) for column in columns.needed if (reader := _reader(column, columns))]
    for path in paths:
        read = _items if is_xml(path) else table_rows
        for where, cells in read(path, columns.needed, columns.encoding):
            if isinstance(cells, Outcome):
                yield where, cells
                continue
            changed = {column: reader(cell) for column, reader in readers if (cell := cells[column])}
            yield where, Sparse({**cells, **changed}) if changed else cells


def _reader(column: str, columns: Columns) -> Callable[[str], str] | None:
    """Return what brings the cells of a column into their common form."""
    name = named(column)
    if column in columns.category and name in (TYPE, GOOGLE) and columns.several is None:
        return partial(_several if name == TYPE else _one, separator=columns.separator)
    if column in columns.specs and name == DETAIL:
        parts = tuple(part for part in re.findall(r"\w+", column.partition("(")[2]) if part in _PARTS)
        return partial(_details, order=parts if len({*parts}) == 3 else _PARTS)
    if name == HIGHLIGHT:
        return _highlights
    return _slashed if name in _SLASHED and column in columns.attributes.values() else None


@lru_cache(1 << 16)
def _several(cell: str, separator: str | None) -> str:
    """Return paths that are quoted, or parted by a comma without a blank, split; of any other cell the whole column decides."""
    if cell.startswith("["):
        paths = _listed(cell)
    elif '"' in cell or re.search(r"[^\s\d],[^\s\d]", cell):
        paths = _unquoted(cell, r",(?=\S)")
    else:
        return cell
    return _json([[node.strip() for node in path.split(separator)] for path in paths] if separator else paths)


def _one(cell: str, separator: str | None) -> str:
    """Return Google's own path, of which there is one and in which commas are parts of names."""
    mark = separator or ">"
    return _json([[node.strip() for node in cell.split(mark)]]) if mark in cell else cell


def _slashed(cell: str) -> str:
    return _json(cell.split("/")) if "/" in cell and not re.search(r"[\d\[]", cell) else cell


def _highlights(cell: str) -> str:
    """Return highlights with a slash between them, without the quotes of their list."""
    return " / ".join(_listed(cell) if cell.startswith("[") else _unquoted(cell, ",") if '"' in cell else [cell])


def _details(cell: str, order: Sequence[str]) -> str:
    """Return ``Section:Name:Value,…`` as a list of names and values; a piece without a colon belongs to the value before it."""
    if cell.startswith("["):
        return cell
    name_at, value_at = (order.index(part) for part in _PARTS[1:])
    found: list[dict[str, str]] = []
    for piece in _unquoted(cell, ","):
        parts = piece.split(":", 2)
        if len(parts) == 3:
            found.append({"name": parts[name_at], "value": parts[value_at]})
        elif len(parts) == 2:
            found.append({"name": parts[0], "value": parts[1]})
        elif found:
            found[-1]["value"] += f",{piece}"
    return _json(found)


def _unquoted(cell: str, mark: str) -> list[str]:
    """Return what stands between commas that are not within double quotes, of which a doubled one is one.

    >>> _unquoted('"Warm, dry",Made here', ","), _unquoted("Coats,Sale, last pieces", r",(?=[^ ])")
    (['Warm, dry', 'Made here'], ['Coats', 'Sale, last pieces'])
    """
    if '"' not in cell:
        return [part for part in re.split(mark, cell) if part.strip()]
    with suppress(csv.Error):
        return [part for part in next(csv.reader([cell], skipinitialspace=True)) if part.strip()]
    return [cell]


def _listed(cell: str) -> list[str]:
    with suppress(ValueError, RecursionError):
        items = json.loads(cell)
        return [item for item in items if isinstance(item, str)] if isinstance(items, list) else [cell]
    return [cell]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _items(path: Path, needed: Sequence[str], encoding: str | None = None) -> Iterator[tuple[str, Cells]]:
    wanted = {named(column): column for column in reversed(needed)}
    role = lru_cache(1 << 12)(partial(_role, wanted=wanted))
    for where, item in elements(path, _ITEMS, encoding):
        yield where, Sparse(_cells(item, role))


def _role(tag: str, wanted: Mapping[str, str]) -> tuple[str, str, bool]:
    """Return the column that an element is for, or nothing, its name, and whether it is Google's own."""
    name = named(local(tag))
    column = wanted.get(name) or (wanted.get("description", "") if name in ("summary", "content") else "")
    return column, name, "google" in tag


def _cells(item: Element, role: Callable[[str], tuple[str, str, bool]]) -> dict[str, str]:
    """Return what an item says of itself: the values of shipping, tax and the like, which are nested, are not the product's."""
    cells, lists = dict[str, str](), dict[str, list[Any]]()
    for child in item:
        column, name, is_googles = role(child.tag)
        if not column:
            continue
        if name == DETAIL:
            lists.setdefault(column, []).append(_detail(child))
        elif text := (_nested(child, name) if len(child) else child.text or "").strip():
            if name in _BROAD:
                lists.setdefault(column, []).append(text)
            if is_googles or column not in cells:
                cells[column] = text
    # One value is a plain cell, as it is in a table.
    several = {column: _json(values) for column, values in lists.items() if len(values) > 1 or column not in cells}
    return cells | several if several else cells


def _detail(element: Element) -> dict[str, str]:
    part = {named(local(each.tag)): each.text or "" for each in element}
    return {"name": part.get(_PARTS[1], ""), "value": part.get(_PARTS[2], "")}


def _nested(element: Element, name: str) -> str:
    """Return the text of an element with others in it: of one that is a text, XHTML."""
    return " ".join(element.itertext()) if name in ("description", "summary", "content", "title") else ""
