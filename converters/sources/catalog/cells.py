"""One cell of a shop's export: a category path, or the specification of texts and attributes by column."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from converters.text.html import untagged
from converters.text.sanitize import one_line

SEPARATORS = (">>", ">", "|", "/")


def nodes(cell: str, separator: str | None) -> tuple[str, ...]:
    """Return the nodes of a path, broadest first.

    Without a ``separator`` it is the first of ``>>``, ``>``, ``|``, ``/`` that the text holds, so that a slash is part of a name
    wherever the path is told otherwise. The text may stand in a JSON list, and its separators may be written as entities.

    >>> nodes('["Clothing >> Tops / T-Shirts"]', None), nodes("Home/Kitchen", None), nodes("Home / Kitchen", ">")
    (('Clothing', 'Tops / T-Shirts'), ('Home', 'Kitchen'), ('Home / Kitchen',))
    """
    return _split(_unlisted(cell), separator)


@lru_cache(1 << 16)
def _split(text: str, separator: str | None) -> tuple[str, ...]:
    text = untagged(text)
    mark = separator or next((mark for mark in SEPARATORS if mark in text), SEPARATORS[0])
    found = tuple(one_line(node) for node in text.split(mark))
    return found if any(found) else ()


def _unlisted(cell: str) -> str:
    """Take the text out of a cell such as ``["A >> B"]``."""
    if not cell.lstrip().startswith("["):
        return cell
    try:
        inner = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return str(inner[0]) if inner and isinstance(inner[0], str) else ""


def without_title(path: Sequence[str], title: str) -> tuple[str, ...]:
    """Return a path without a last node that is the product's own title, perhaps cut short by dots.

    >>> without_title(("Home", "Mugs", "Red mug with..."), "Red mug with handle")
    ('Home', 'Mugs')
    """
    return tuple(path[:-1]) if path and _is_title(path[-1], title) else tuple(path)


def _is_title(node: str, title: str) -> bool:
    short = node.rstrip(".").rstrip()
    return one_line(title).startswith(short) if node.endswith("...") and short else node == one_line(title)


Specs = Mapping[str, tuple[str, ...]]
_RUBY = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|=>|\bnil\b|:\w+(?=\s*=>)""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>|</(?:li|p|div|tr)\s*>|[\r\n]+", re.IGNORECASE)
_KEYS, _VALUES = ("key", "name", "attribute"), ("value", "values")
LONGEST_KEY = 60


def specs(cell: str) -> Specs | None:
    r"""Return the attributes of a cell in its order, several values of one name together; ``None`` if it has none to read.

    A value without a name is left out.

    >>> specs('{"specification"=>[{"key"=>"Fabric", "value"=>"Cotton"}, {"value"=>"3 shorts"}]}')
    {'Fabric': ('Cotton',)}
    >>> specs('{"Color": ["Red", "Blue"], "Pieces": 2}')
    {'Color': ('Red', 'Blue'), 'Pieces': ('2',)}
    >>> specs("Material: steel; Capacity: 1.5 L") == specs("Material: steel<br>Capacity: 1.5 L")
    True
    >>> specs("<ul><li>Material: <b>steel</b></li><li>Fit: A &amp; B</li></ul>")
    {'Material': ('steel',), 'Fit': ('A & B',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, value in _pairs(cell.strip()):
        name, value = one_line(untagged(name)), one_line(untagged(value))
        if name and value and value not in found.get(name, ()):
            found[name] = (*found.get(name, ()), value)
    return found or None


def _pairs(cell: str) -> Iterator[tuple[str, str]]:
    if cell.startswith(("{", "[")):
        for text in (cell, _RUBY.sub(_as_json, cell)):
            try:
                yield from _walked(json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None))
                return
            except (ValueError, RecursionError):
                continue
    yield from _pieces(cell)


def _as_json(found: re.Match[str]) -> str:
    sign = found.group()
    if sign[0] in "\"'":
        return sign if sign[0] == '"' and _is_json(sign) else json.dumps(_ESCAPE.sub(r"\1", sign[1:-1]))
    return {"=>": ":", "nil": "null"}.get(sign) or f'"{sign[1:]}"'


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), str)
    except ValueError:
        return False


def _walked(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the pairs of a JSON value: ``{"key": …, "value": …}`` objects, plain objects, and whatever holds them."""
    if isinstance(value, list):
        for item in value:
            yield from _walked(item, name)
    elif isinstance(value, dict):
        yield from _object(value)
    elif name and value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _object(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    told = [key for key in _VALUES if key in value]
    if not told:
        for key, item in value.items():
            yield from _walked(item, key)
        return
    key = next((value[k] for k in _KEYS if isinstance(value.get(k), str)), "")
    yield from _walked(value[told[0]], key)


def _pieces(cell: str) -> Iterator[tuple[str, str]]:
    """Yield ``key: value`` pieces between line breaks, else between ``;``, else between ``|``."""
    pieces = [untagged(piece) for piece in _BREAK.split(cell)]
    pieces = [piece for piece in pieces if piece.strip()]
    for mark in (";", "|"):
        pieces = pieces[0].split(mark) if len(pieces) == 1 else pieces
    for piece in pieces:
        key, colon, value = piece.partition(":")
        if colon and 0 < len(key.strip()) <= LONGEST_KEY:
            yield key, value
