"""The columns of an Akeneo export: their names in parts, and what the first rows of the files have in them."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from converters.io.tables import rows as table_rows
from converters.schema import Outcome

LOOK = 20_000  # rows by which locale, tree and attributes are chosen
IDS = ("sku", "identifier", "code", "uuid")
_SYSTEM = {*IDS, "categories", "family", "family_variant", "enabled", "groups", "parent", "created", "updated"}
_TECHNICAL = re.compile(
    r"(?:meta|seo|url)_.*|.*?(?:^|_)(?:price|cost|msrp|ean|gtin|upc|asin|isbn|image|picture|url)(?:_.*|$)"
)
_LOCALE = re.compile(r"[a-z]{2,3}(?:_[a-z]{4})?_[a-z]{2}", re.IGNORECASE)
_LINKS = {"products", "product_models", "product_uuids", "groups", "quantity"}  # columns of associations end so
_TEXT = re.compile(r".*(?:descri|beschreib|omschrijv|popis|opis|text|bullet|feature|highlight|summary).*|.*_?desc")
_LONG = 120  # characters; a column of longer cells is a text
_OPAQUE = re.compile(
    r"[01]|true|false|\d{4}-\d\d-\d\d\S*|\S+\.(?:jpe?g|png|gif|webp|svg|pdf|mp4|docx?)|https?://\S+", re.I
)


class Name(NamedTuple):
    """A column's name in its parts: attribute, locale, channel or currency, and whether it holds units."""

    code: str
    locale: str = ""
    scope: str = ""
    unit: bool = False


def parsed(column: str) -> Name:
    """Return a column's name in its parts; codes hold no hyphen.

    >>> parsed("description-en_US-ecommerce"), parsed("weight-unit").unit
    (Name(code='description', locale='en_US', scope='ecommerce', unit=False), True)
    """
    code, *rest = column.strip().split("-")
    locale = next((part for part in rest if _LOCALE.fullmatch(part)), "")
    scope = "-".join(part for part in rest if part not in (locale, "unit"))
    return Name(code.casefold(), locale, scope, rest[-1:] == ["unit"])


class Look(NamedTuple):
    """What the first rows of an entry's files hold: filled cells and their length by column, and which columns are worded."""

    columns: dict[str, None]
    filled: Counter[str]
    length: Counter[str]
    telling: set[str]  # columns with a cell that is no flag, date, link or file
    lettered: set[str]  # columns with a cell that has a letter
    codes: Counter[str]  # cells of the categories

    def locale(self, codes: Sequence[str]) -> str:
        """Return the locale in which most cells of attributes are filled, the first of equals."""
        counts = Counter[str]()
        for column in self.columns:
            if (name := parsed(column)).locale and name.code in codes:
                counts[name.locale] += self.filled[column]
        return max(counts, key=counts.__getitem__, default="")

    def best(self, code: str, locale: str) -> str | None:
        """Return the column of an attribute in a locale: that of the channel with most filled cells."""
        named = ((column, parsed(column)) for column in self.columns if self.filled[column])
        fit = [c for c, name in named if name.code == code and not name.unit and name.locale in ("", locale)]
        return max(fit, key=self.filled.__getitem__, default=None)


def look(paths: Sequence[Path], encoding: str | None) -> Look:
    """Look at the first rows of an entry's files."""
    seen = Look({}, Counter(), Counter(), set(), set(), Counter())
    for path in paths:
        for _, cells in islice(table_rows(path, (), encoding), LOOK):
            if not isinstance(cells, Outcome):
                seen.columns.update(dict.fromkeys(cells))
                for column, cell in cells.items():
                    if cell.strip():
                        _count(column, cell.strip(), seen)
    return seen


def _count(column: str, cell: str, seen: Look) -> None:
    seen.filled[column] += 1
    seen.length[column] += len(cell)
    if column not in seen.telling and not _OPAQUE.fullmatch(cell):
        seen.telling.add(column)
    if column not in seen.lettered and any(map(str.isalpha, cell)):
        seen.lettered.add(column)
    if column.casefold() == "categories":
        seen.codes[cell] += 1


def is_asked(column: str, look: Look) -> bool:
    """Tell whether a column is an attribute that texts may state: no column of the system, no association, no price."""
    name = parsed(column)
    scope = name.scope.rpartition("-")[2]
    price = re.fullmatch("[A-Z]{3}", scope) and column not in look.lettered
    return not (name.code in _SYSTEM or name.unit or scope in _LINKS or price or _TECHNICAL.fullmatch(name.code))


def is_text(code: str, length: float) -> bool:
    """Tell whether an attribute is a text, by its code or the mean length of its cells."""
    return bool(_TEXT.fullmatch(code)) or length > _LONG


def nearest_locale(asked: str, present: Sequence[str]) -> str | None:
    """Return a locale as it is spelt in ``present``, or the first one of its language."""
    wanted = asked.replace("-", "_").casefold()
    same = [locale for locale in present if locale.casefold().split("_")[0] == wanted.split("_")[0]]
    return next((locale for locale in same if locale.casefold() == wanted), next(iter(same), None))
