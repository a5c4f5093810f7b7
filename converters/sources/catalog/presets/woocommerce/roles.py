"""The columns of a WooCommerce export in any language: by their English names, else by what they hold and where they stand."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from converters.io.tables import AHEAD
from converters.io.tables import rows as table_rows
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells
from converters.sources.catalog.head import Head

REFERENCE = re.compile(r"id:\s*(\d+)", re.IGNORECASE)
_WHOLE = re.compile(r"(-?\d+)\.0+")
_ENGLISH = {"id": "ID", "type": "Type", "sku": "SKU", "title": "Name", "published": "Published", "images": "Images",
            "visibility": "Visibility in catalog", "short": "Short description", "description": "Description",
            "category": "Categories", "parent": "Parent", "brand": "Brands"}  # fmt: skip
_ONLY = ("Attribute 1 value(s)", "Visibility in catalog")  # English headers that no other platform has
_TYPES = {"simple", "variable", "variation", "grouped", "external", "subscription", "variable-subscription", "bundle",
          "subscription_variation", "composite", "booking"}  # fmt: skip
_FLAGS = {"0", "1", "-1", "2"}
_FORMS = {"visible", "catalog", "search", "hidden"}
_TAXES = {"taxable", "shipping", "none"}
_NUMBER = re.compile(r"\d+")
# Stems of translated headers, for what a column's form does not show.
_STEMS = {
    "category": r"[ck]at[ée]g|категор|カテゴリ|分类|分類|카테고리|κατηγορ|קטגור|danh mục|(tuote)?osasto|หมวดหมู่"
    r"|التصنيف|الفئات|دسته",
    "parent": r"parent|übergeordnet|padre|superior|genitore|hoofd|bovenliggend|nadrzędn|rodzic|ascendente|mãe|förälder"
    r"|överordn|overordn|forælder|forelder|nadřazen|rodič|nadređen|nadrejen|родител|батьк|isäntä|szülő|părinte|γονικ|הורה|والد"
    r"|親|父|상위|ebeveyn",
    "published": r"publi|gepubli|opubli|veröffentl|yayım|yayın|julkais|közzé|objavlj|опубл|δημοσι|פורסם|منشور|đã xuất"
    r"|公開|已?发布|已?發佈|공개",
    "brand": r"(brands?|marques?|marcas?|marchi[oe]?|marken?|mark[ai]|merk(en)?|mærker?|merker?|varumärken?|značk[ay]"
    r"|бренды?|ブランド|品牌|브랜드)$",
    "title": r"(name|nom|nombre|nome|naam|nazwa|namn|navn|nimi|név|název|názov|имя|название|名前|名称|名稱|이름|isim|ad)$",
}
# Words of the numbered columns: values, names, and downloads, which are numbered, too.
_VALUES = re.compile(
    r"valu|wert|valeur|valor|waard|warto|värde|værdi|verdi|arvo|hodnot|знач|値|值|değer|érték|값|τιμ|ערכ|ערך"
)
_NAMES = re.compile(r"name|nom|naam|nazw|namn|navn|nimi|név|název|názov|назв|имя|имен|名|이름|\bad[ıi]|όνομα")
_REPEATED = re.compile(r" \(\d+\)$")  # as a second column of one name is read


def roles_of(head: Head) -> dict[str, str]:
    """Return the columns by what they are for; empty for a file without a column of types."""
    cells = {name: [cell for row in head.rows if (cell := whole(row.get(name, "")))] for name in head.columns}
    kind = next((name for name in head.columns if _are_types(cells[name])), None)
    english = {role: column for role, name in _ENGLISH.items() if (column := head.present(name))}
    if not kind:
        return english if head.present(*_ONLY) else {}
    if {"type", "title"} <= {*english}:
        return english | {"type": kind}
    stems = {role: _stem(head, pattern) for role, pattern in _STEMS.items()}
    roles = {"type": kind, **_by_place([*head.columns], kind, cells), **{k: v for k, v in stems.items() if v}}
    roles = {role: column for role, column in roles.items() if column}
    roles.setdefault("category", _by_arrows(cells, roles))
    second = [*head.columns, "", ""][head.columns.index(kind) + 1]
    roles |= {"sku": second} if second not in roles.values() else {}
    roles |= _parents(head, roles) | _descriptions([*head.columns], roles, cells)
    return {role: column for role, column in roles.items() if column}


def _are_types(cells: Sequence[str]) -> bool:
    words = [cell.partition(",")[0].strip().casefold() in _TYPES for cell in cells]
    return sum(words) > 0.8 * len(words) if words else False


def _stem(head: Head, pattern: str) -> str:
    named = (name for name in head.columns if re.match(pattern, name.strip().casefold()))
    return next((name for name in named if not _NUMBER.search(name) and ":" not in name), "")


def _by_place(names: list[str], kind: str, cells: Mapping[str, list[str]]) -> dict[str, str]:
    """Return what stands around the types: id, type, SKU, perhaps GTIN, name, published."""
    at = names.index(kind)
    roles = {"id": names[at - 1]} if at and all(map(str.isdecimal, cells[names[at - 1]])) else {}
    flags = (n for n in range(at + 2, min(at + 7, len(names))) if cells[names[n]] and {*cells[names[n]]} <= _FLAGS)
    flag = next(flags, at)
    # The name is the last text before a flag, which is another one where no row says whether it is published.
    if title := next((n for n in range(flag - 1, at, -1) if any(map(_is_text, cells[names[n]]))), None):
        roles |= {"title": names[title]}
        # Of two flags the first is whether it is published; one alone may be whether it is featured.
        both = all({*cells[name]} <= _FLAGS for name in names[title + 1 : title + 3])
        roles |= {"published": names[title + 1]} if both else {}
    forms = (name for name in names[at:] if cells[name] and {*map(str.casefold, cells[name])} <= _FORMS)
    images = (name for name in names[at:] if cells[name] and all(cell.startswith("http") for cell in cells[name]))
    return roles | {"visibility": next(forms, ""), "images": next(images, "")}


def _by_arrows(cells: Mapping[str, list[str]], roles: Mapping[str, str]) -> str:
    counts = {
        name: sum(" > " in cell for cell in found) for name, found in cells.items() if name not in {*roles.values()}
    }
    most = max(counts, key=counts.__getitem__, default="")
    return most if counts.get(most) else ""


def _parents(head: Head, roles: Mapping[str, str]) -> dict[str, str]:
    """Return the column in which most variations, and they alone, name a parent: by its id, or by a SKU of the file."""
    if "parent" in roles:
        return {}
    stat, encoding = head.path.stat(), head.given.get("encoding")
    variations, skus = _variations(head.path, stat.st_mtime_ns, encoding, roles["type"], roles.get("sku", ""))
    others = [row for row in head.rows if not is_variation(row.get(roles["type"], ""))]
    for name in head.columns if variations else ():
        parents = [whole(row[name]) for row in variations]
        named = sum(bool(REFERENCE.fullmatch(parent)) or parent in skus for parent in parents)
        free = name not in roles.values() and not any(row.get(name, "").strip() for row in others)
        if free and named * 2 > len(parents):
            return {"parent": name}
    # Behind the images stand the limit and the expiry of downloads, and then the parent.
    images = [*head.columns, ""].index(roles.get("images", ""))
    place = head.columns[images + 3 : images + 4] if not variations else ()
    return {"parent": place[0]} if place and not any(row.get(place[0], "").strip() for row in head.rows) else {}


def has_variations(head: Head, roles: Mapping[str, str]) -> bool:
    """Tell whether a file has variations, anywhere in it."""
    stat = head.path.stat()
    kind, sku = roles.get("type", ""), roles.get("sku", "")
    return bool(kind and _variations(head.path, stat.st_mtime_ns, head.given.get("encoding"), kind, sku)[0])


@lru_cache(8)
def _variations(path: Path, _: int, encoding: str | None, kind: str, sku: str) -> tuple[list[Cells], frozenset[str]]:
    """Return the first variations of a whole file, which may be far behind its head, and the file's SKUs among their cells."""

    def read() -> Iterator[Cells]:
        return (cells for _, cells in table_rows(path, (), encoding) if not isinstance(cells, Outcome))

    first = list(islice((cells for cells in read() if is_variation(cells[kind])), AHEAD))
    wanted = {whole(cell) for cells in first for cell in cells.values()} - {""}
    skus = (whole(cells[sku]) for cells in read() if not is_variation(cells[kind])) if first and sku else ()
    return first, frozenset(found for found in skus if found in wanted)


def whole(cell: str) -> str:
    """Return a cell, a whole number without the decimals that a spreadsheet or a program gave it.

    >>> whole("121.0"), whole(" RW-1 "), whole("1.50")
    ('121', 'RW-1', '1.50')
    """
    found = _WHOLE.fullmatch(text := cell.strip())
    return found[1] if found else text


def is_variation(kinds: str) -> bool:
    """Tell whether a cell of types is that of a variation.

    >>> is_variation("variation, virtual"), is_variation("subscription_variation"), is_variation("variable")
    (True, True, False)
    """
    return kinds.casefold().partition(",")[0].strip().endswith("variation")


def _descriptions(names: list[str], roles: Mapping[str, str], cells: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the texts among the two columns behind the visibility, or behind the flags that follow the name."""
    after = roles.get("visibility") or roles.get("published") or roles.get("title")
    if not after:
        return {}
    first = names.index(after) + 1
    while first < len(names) and cells[names[first]] and {*cells[names[first]]} <= _FLAGS:
        first += 1
    rest = [name for name in names[first : first + 2] if name not in {*roles.values()}]
    texts = [name for name in rest if any(map(_is_text, cells[name])) and not {*cells[name]} <= _TAXES]
    return dict(zip(("description", "short"), reversed(texts), strict=False))


def _is_text(cell: str) -> bool:
    return sum(map(str.isalpha, cell)) > len(cell) / 2


def pairs_of(head: Head) -> dict[str, str]:
    """Return the numbered columns of attributes' names to those of their values, in any language.

    They follow each other: name, values, visible, global. Downloads are numbered, too: id, name, URL.
    """
    numbered: dict[str, dict[str, str]] = {}  # by the header without its number, which is the same for all attributes
    for column in head.columns:
        number = _NUMBER.search(column)
        if number and ":" not in column and not _REPEATED.search(column):
            numbered.setdefault(_NUMBER.sub("", column, count=1), {})[number[0]] = column
    told = next((columns for header, columns in numbered.items() if _VALUES.search(header.casefold())), None)
    values = told or _values_by_form([*numbered.values()], head)
    names = _names_of(values, [*head.columns], numbered)
    return {names[number]: column for number, column in values.items() if number in names}


def _values_by_form(numbered: Sequence[Mapping[str, str]], head: Head) -> Mapping[str, str]:
    """Return the first columns with other cells than flags that flags follow."""
    cells = [
        {row.get(name, "").strip() for row in head.rows for name in columns.values()} - {""} for columns in numbered
    ]
    places = (at for at in range(1, len(numbered) - 1) if not cells[at] <= _FLAGS and cells[at + 1] <= _FLAGS)
    return numbered[at] if (at := next(places, 0)) else {}


def _names_of(
    values: Mapping[str, str], columns: list[str], numbered: Mapping[str, Mapping[str, str]]
) -> Mapping[str, str]:
    """Return the columns before those of the values, else, in a file whose columns have moved, those that are called names."""
    before = {number: columns[columns.index(value) - 1] for number, value in values.items()}
    others = [names for names in numbered.values() if names is not values and names.keys() & values.keys()]
    follow = (names for names in others if before.items() & names.items())
    called = (names for header, names in numbered.items() if names in others and _NAMES.search(header.casefold()))
    return next(follow, None) or next(called, {})
