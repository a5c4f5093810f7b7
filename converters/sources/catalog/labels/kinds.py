"""What stands in category columns and is no label: words for "none", ids, codes, addresses, sentences, free text."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from converters.sources.google_taxonomy import Category
from converters.text.none import is_none

ID, CODE = "category is an id, not a name", "category is a code, not a name"
URL, SENTENCE = "category is a web address", "category is a sentence"
FREE = "category is a text where all other rows have paths"
NAMELESS, BROKEN = "category is a JSON object without a name", "category is broken JSON"
EMPTY = "category with an empty node or a '>'"
_NUMBER = re.compile(r"-?\d+(?:\.0+)?")
_ID = r"(?:#|id[\s:=#-]*)?\d+(?:\.0+)?"
_NUMBERS = re.compile(rf"\s*{_ID}(?:\s*[,;|/\s]\s*{_ID})*\s*", re.IGNORECASE)
_GID = re.compile(r"gid://\S+|[a-z]{2}(?:-\d+)+")  # Shopify's ids, whole and short
_CODE = re.compile(
    r"[a-z0-9]+(?:_[a-z0-9]+)+|[A-Z0-9]+(?:_[A-Z0-9]+)+|[A-Za-z]{1,8}[-_.]?\d{3,}[A-Za-z0-9]*|"
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{24,64}"
)
_WITH_ID = re.compile(r"(\d+|gid://\S+)(?:\s+[-–]\s+|\s*:\s+)(?=\S)")
_LIKE_CODE = re.compile(r"(?=\S*\d)[A-Z0-9]+(?:[-_.][A-Z0-9]+)*")  # where all names of a column are spelt so
_WORD = re.compile(r"[a-z0-9]+")
_BETWEEN = re.compile(r"[,;|]")
_ADDRESS = re.compile(r"(?:https?|ftp)://|www\.", re.IGNORECASE)
_STOPS = (".", "!", "?", "。", "！", "？", "।", "؟")
ROWS, NEARLY_ALL, CODES = 20, 0.95, 1 / 3


def is_number(text: str) -> bool:
    """Tell whether a text is a number, perhaps as a spreadsheet writes it (``276.0``)."""
    return bool(_NUMBER.fullmatch(text))


def ids(text: str) -> tuple[str, ...]:
    """Return the ids that a text is made of, and nothing if it is none or a list of them.

    >>> ids("2,7,11"), ids("276.0"), ids("gid://shopify/TaxonomyCategory/aa-1-2"), ids("Kitchen 7")
    (('2', '7', '11'), ('276',), ('gid://shopify/TaxonomyCategory/aa-1-2',), ())
    """
    if _NUMBERS.fullmatch(text):
        return tuple(re.findall(r"(\d+)(?:\.0+)?", text))
    parts = text.replace(",", " ").replace(";", " ").split()
    return tuple(parts) if parts and all(map(_GID.fullmatch, parts)) else ()


def is_code(name: str) -> bool:
    """Tell whether a name is spelt as only codes are (``electric_kettles``, ``CAT-0012``, a UUID)."""
    return bool(_CODE.fullmatch(name))


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the whole column says.

    ``coded``: single lower-case words are codes, too, or what is all capitals and digits; ``numbered``: paths begin with their
    ids; ``roots``: those of a file that holds hardly anything but paths of two or more nodes.
    """

    coded: bool = False
    numbered: bool = False
    roots: frozenset[str] | None = None

    def reason(self, path: Category) -> str:
        """Return why a path is no label, or nothing."""
        if len(path) == 1 and is_none(path[0]):
            return f"no category: {path[0]!r}"
        if not all(path) or any(">" in node for node in path):
            return EMPTY
        if all(map(is_number, path)):
            return ID
        if all(is_code(name) or (self.coded and _like_code(name)) for node in path for name in _names(node)):
            return CODE
        if any(map(is_sentence, path)):
            return SENTENCE
        return FREE if self.roots is not None and len(path) == 1 and path[0] not in self.roots else ""


def is_address(text: str) -> bool:
    """Tell whether a text is a web address."""
    return bool(_ADDRESS.match(text.strip()))


def is_sentence(name: str) -> bool:
    """Tell whether a name is a whole sentence or longer than any name.

    >>> is_sentence("Keeps your tea warm for hours."), is_sentence("Dr. Martens etc.")
    (True, False)
    """
    return (
        len(name.split()) > 15 or len(name) > 150 or (name.endswith(_STOPS) and len(name.split()) > 4) or "。" in name
    )


def kinds(paths: Mapping[Category, int]) -> Kinds:
    """Look at the paths of a column, with the number of their rows."""
    named = Counter({path: count for path, count in paths.items() if not (len(path) == 1 and is_none(path[0]))})
    names = {name for path in named for node in path for name in _names(node) if not is_number(name)}
    plain = all(is_code(name) or _WORD.fullmatch(name) for name in names)
    coded = plain and sum(map(is_code, names)) >= CODES * len(names) > 0
    coded = coded or (bool(names) and all(is_code(name) or _LIKE_CODE.fullmatch(name) for name in names))
    deep = {path: count for path, count in named.items() if len(path) > 1}
    only = named.total() >= ROWS and sum(deep.values()) >= NEARLY_ALL * named.total()
    numbered = sum(count for path, count in named.items() if with_id(path)) >= NEARLY_ALL * named.total() > 0
    return Kinds(coded, numbered, frozenset(path[0] for path in deep) if only else None)


def _like_code(name: str) -> bool:
    return bool(_WORD.fullmatch(name) or _LIKE_CODE.fullmatch(name))


def with_id(path: Category) -> re.Match[str] | None:
    """Return the id that a path begins with, as in ``4301 - Kitchen > Kettles``."""
    return _WITH_ID.match(path[0])


def is_code_list(text: str) -> bool:
    """Tell whether a text is a list of codes, or of codes and single lower-case words."""
    names = _names(text)
    return any(map(is_code, names)) and all(is_code(name) or _WORD.fullmatch(name) for name in names)


def _names(node: str) -> list[str]:
    return [part.strip() for part in _BETWEEN.split(node)]
