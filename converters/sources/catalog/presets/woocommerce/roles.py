"""The columns of a WooCommerce export in any language: by their English names, else by what they hold and where they stand."""

import re
from collections.abc import Mapping, Sequence

from converters.sources.catalog.head import Head

REFERENCE = re.compile(r"id:\s*(\d+)", re.IGNORECASE)
_ENGLISH = {"id": "ID", "type": "Type", "sku": "SKU", "title": "Name", "published": "Published", "images": "Images",
            "visibility": "Visibility in catalog", "short": "Short description", "description": "Description",
            "category": "Categories", "parent": "Parent", "brand": "Brands"}  # fmt: skip
_ONLY = ("Attribute 1 value(s)", "Visibility in catalog")  # English headers that no other platform has
_TYPES = {"simple", "variable", "variation", "grouped", "external", "subscription", "variable-subscription", "bundle",
          "subscription_variation", "composite", "booking"}  # fmt: skip
_FLAGS = {"0", "1", "-1", "2"}
_FORMS = {"visible", "catalog", "search", "hidden"}
_NUMBER = re.compile(r"\d+")
# Stems of translated headers, for what a column's form does not show.
_STEMS = {
    "category": r"[ck]at[ée]g|категор|カテゴリ|分类|分類|카테고리|κατηγορ|קטגור|danh mục|(tuote)?osasto|หมวดหมู่"
    r"|التصنيف|الفئات|دسته",
    "parent": r"parent|übergeordnet|padre|superior|genitore|hoofd|bovenliggend|nadrzędn|rodzic|ascendente|mãe|förälder"
    r"|overordn|forælder|forelder|nadřazen|rodič|родител|親|父|상위|ebeveyn",
    "brand": r"(brands?|marques?|marcas?|marchi[oe]?|marken?|mark[ai]|merk(en)?|mærker?|merker?|varumärken?|značk[ay]"
    r"|бренды?|ブランド|品牌|브랜드)$",
    "title": r"(name|nom|nombre|nome|naam|nazwa|namn|navn|nimi|név|název|názov|имя|название|名前|名称|名稱|이름|isim|ad)$",
}
# Words of the numbered columns: values, names, and downloads, which are numbered, too.
_VALUES = re.compile(r"valu|wert|valeur|valor|waard|warto|värde|værdi|verdi|arvo|hodnot|знач|値|值|değer|érték|값|τιμ")
_NAMES = re.compile(r"name|nom|naam|nazw|namn|navn|nimi|név|název|názov|назв|имя|имен|名|이름|\bad[ıi]|όνομα")
_DOWNLOAD = re.compile(r"download|descarga|télécharg|scaric|pobier|nedladd|stažen|загруз|скачив|ダウンロード|url")


def roles_of(head: Head) -> dict[str, str]:
    """Return the columns by what they are for; empty for a file without a column of types."""
    cells = {name: [cell for row in head.rows if (cell := row.get(name, "").strip())] for name in head.columns}
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
        roles |= {"title": names[title], "published": names[title + 1]}
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
    """Return the column in which every variation names a parent, by its form, where the first rows have variations."""
    variations = [
        row for row in head.rows if row.get(roles["type"], "").casefold().partition(",")[0].endswith("variation")
    ]
    skus = {row.get(roles.get("sku", ""), "").strip() for row in head.rows} - {""}
    for name in head.columns if variations else ():
        parents = [row.get(name, "").strip() for row in variations]
        others = any(row.get(name, "").strip() for row in head.rows if row not in variations)
        named = sum(bool(REFERENCE.fullmatch(parent)) or parent in skus for parent in parents)
        if name != roles.get("sku") and named * 2 > len(parents) and not others:
            return {"parent": name}
    images = [*head.columns, ""].index(roles.get("images", ""))
    # Behind the images stand the limit and the expiry of downloads, and then the parent.
    place = head.columns[images + 3 : images + 4]
    unknown = place and not roles.get("parent") and not any(row.get(place[0], "").strip() for row in head.rows)
    return {"parent": place[0]} if unknown else {}


def _descriptions(names: list[str], roles: Mapping[str, str], cells: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the texts among the two columns behind the visibility, or behind the flags that follow the name."""
    after = roles.get("visibility") or roles.get("published")
    if not after:
        return {}
    first = names.index(after) + 1
    while first < len(names) and cells[names[first]] and {*cells[names[first]]} <= _FLAGS:
        first += 1
    rest = [name for name in names[first : first + 2] if name not in {*roles.values()}]
    texts = [name for name in rest if any(map(_is_text, cells[name]))]
    return dict(zip(("description", "short"), reversed(texts), strict=False))


def _is_text(cell: str) -> bool:
    return sum(map(str.isalpha, cell)) > len(cell) / 2


def pairs_of(head: Head) -> dict[str, str]:
    """Return the numbered columns of attributes' names to those of their values, in any language.

    They follow each other: name, values, visible, global. Downloads, which are numbered, too, have a URL.
    """
    numbered: dict[str, list[str]] = {}
    for column in head.columns:
        number = _NUMBER.search(column)
        if number and ":" not in column and not _DOWNLOAD.search(column.casefold()):
            numbered.setdefault(number[0], []).append(column)
    pairs = {}
    for columns in numbered.values():
        values = [column for column in columns if _VALUES.search(column.casefold())] or columns[1:]
        named = [
            column for column in columns if _NAMES.search(column.casefold()) and column not in values[:1]
        ] or columns
        if values and named[0] != values[0]:
            pairs[named[0]] = values[0]
    return pairs
