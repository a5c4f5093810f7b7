"""The signs of a category cell: JSON, quotes, escapes, and the marks between paths and between nodes."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from converters.io.rows import literal
from converters.sources.google_taxonomy import Category
from converters.text.html import untagged
from converters.text.sanitize import one_line

Piece = str | Category  # a text with marks in it, or a path whose nodes are split already
# Signs that no name holds. A file of two kinds of them (">" and "›") has been put together: each cell is read by its own.
_HEADS = ">＞→⇒›»❯▸▶►‣➔➜➤➡⟶⇨⟩≫"
ARROW = re.compile(rf"(?<![-=–—])[-=–—]*(?:{'|'.join(f'{head}+' for head in _HEADS)})")
_ARROWS = re.compile(rf"(?<!\\){ARROW.pattern}")
_DOUBLED = re.compile("[-=–—]*>{2,}")
_NAMES = ("fullName", "full_name", "name", "label", "title")
_BREAK = re.compile(r"<br\s*/?>|</(?:li|p|div)\s*>|\r\n?", re.IGNORECASE)
_QUOTED = re.compile(r'\s*"((?:[^"]|"")*+)"\s*')
_ARRAY = re.compile(r"\{([^\[\]{}:]+)\}|\[([^\[\]{}'\"]+)\]")  # as PostgreSQL writes a list, and without quotes
OPENING = ("[", "{", "(")  # of JSON, and of a list or tuple of Python's
_BROKEN: dict[str, str] = {}
_ESCAPED = re.compile(r'\\([,;|/>:"\\])')


@cache
def _marked(marks: Sequence[str]) -> re.Pattern[str]:
    signs = "|".join(map(re.escape, sorted(marks, key=len, reverse=True)))
    return re.compile(rf"(?!{signs})\\.|({signs})", re.DOTALL)


def split(text: str, marks: Sequence[str]) -> list[str]:
    r"""Split a text at marks that are neither escaped nor in a part that is quoted as a whole; escapes stay, quotes do not.

    >>> split(r'A, "B, C", D\, E', (",",))
    ['A', 'B, C', 'D\\, E']
    """
    if '"' not in text and not any(mark in text for mark in marks):
        return [text.strip()]
    pattern, parts, start = _marked(tuple(marks)) if marks else None, list[str](), 0
    while True:
        quoted = _QUOTED.match(text, start)
        if quoted and quoted.end() < len(text) and not (pattern and _is_mark(pattern.match(text, quoted.end()))):
            quoted = None
        ends = pattern.finditer(text, quoted.end() if quoted else start) if pattern else iter(())
        end = next(filter(_is_mark, ends), None)
        part = quoted[1].replace('""', '"') if quoted else text[start : end.start() if end else None]
        parts.append(part.strip())
        if not end:
            return parts
        start = end.end()


def _is_mark(found: re.Match[str] | None) -> bool:
    return bool(found and found[1])


def nodes(text: str, separator: str | None) -> Category:
    r"""Return the nodes of a path, split at a separator (``None``: at arrows), escapes undone; a blank text has none.

    >>> nodes(r"/Kitchen/Salt \/ Pepper", "/"), nodes("Home › Bed/Bath", None)
    (('Kitchen', 'Salt / Pepper'), ('Home', 'Bed/Bath'))
    """
    if separator is None and (doubled := _DOUBLED.search(text)):
        separator = doubled[0]  # and a single ">" is then in a name, which is refused
    if separator is None:
        return _names(map(_plain, _ARROWS.split(text)))
    if separator == "\\" or "\\" not in text:
        path = _names(text.split(separator))
    else:
        found = [sign for sign in _marked((separator,)).finditer(text) if sign[1]]
        bounds = zip([0, *(sign.end() for sign in found)], [*(sign.start() for sign in found), len(text)], strict=True)
        path = _names(_plain(text[start:end], separator) for start, end in bounds)
    return path if ARROW.search(separator) else _within(path)


def _within(path: Category) -> Category:
    """Return a path without the empty nodes before its first name and after its last, of a mark that opens or ends it."""
    named = [index for index, name in enumerate(path) if name]
    return path[named[0] : named[-1] + 1] if named else ()


def _plain(text: str, separator: str = "") -> str:
    text = text.replace(f"\\{separator}", separator) if len(separator) > 1 else text
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _names(texts: Iterable[str]) -> Category:
    names = tuple(map(_name, texts))
    return names if any(names) else ()


@lru_cache(1 << 15)
def _name(text: str) -> str:
    return one_line(text)


@lru_cache(1 << 12)
def pieces(cell: str) -> tuple[Piece, ...]:
    """Return what a cell holds: one text, the items of a JSON (or Python) list, or the name of a JSON object.

    A list in a list is a path whose nodes are split. An object without a name gives nothing.
    """
    value = _loaded(cell.strip())
    return (_text(cell),) if value is None else tuple(_items(value))


def is_list(cell: str) -> bool:
    """Tell whether a cell is a list of two or more texts: several paths, or the nodes of one."""
    value = _loaded(cell.strip())
    items = [item for item in value if item not in (None, "")] if isinstance(value, list) else []
    return len(items) > 1 and all(isinstance(item, str) for item in items)


def is_broken(cell: str) -> bool:
    """Tell whether a cell begins as JSON and is none."""
    return _loaded(cell.strip()) is _BROKEN


def _text(cell: str) -> str:
    """Return a text without markup and with its line breaks."""
    return "\n".join(map(untagged, _BREAK.sub("\n", cell).strip().split("\n")))


def _loaded(cell: str) -> Any:
    """Return the list or object that a cell is, or ``None`` for a text; what only begins as JSON is ``_BROKEN``."""
    if cell[:1] not in OPENING:
        return None
    with suppress(ValueError, RecursionError):
        return json.loads(cell, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    with suppress(ValueError):
        value = literal(cell)
        return value if isinstance(value, (list, dict)) else None
    if array := _ARRAY.fullmatch(cell):
        return [part for part in split(array[1] or array[2], (",",)) if part]
    return _BROKEN if re.match(r"[\[{]\s*[\[{]?\s*[\"']", cell) else None


def _items(value: Any, within: bool = False) -> Iterator[Piece]:
    if isinstance(value, dict):
        value = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        yield _text(str(value))
    elif isinstance(value, list) and within:
        names = [item for each in value for item in _items(each) if isinstance(item, str)]
        yield _names(names)
    elif isinstance(value, list):
        for item in value:
            yield from _items(item, True)
