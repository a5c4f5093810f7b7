"""Read one cell of a shop's export: a specification of many attributes."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from converters.text.html import untagged
from converters.text.sanitize import one_line

Values = dict[str, tuple[str, ...]]

LONGEST_KEY = 60
_RUBY = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|=>|\bnil\b|:\w+(?=\s*=>)""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>|</(?:li|p|div|tr)\s*>|[\r\n]+", re.IGNORECASE)
_KEYS, _VALUES = ("key", "name", "attribute"), ("value", "values")


def parse_specs(cell: str) -> Values:
    r"""Return the attributes of a cell in its order, several values of one name together; a value without a name is left out.

    >>> parse_specs('{"specification"=>[{"key"=>"Fabric", "value"=>"Cotton"}, {"value"=>"3 shorts"}]}')
    {'Fabric': ('Cotton',)}
    >>> parse_specs('{"Color": ["Red", "Blue"], "Pieces": 2}')
    {'Color': ('Red', 'Blue'), 'Pieces': ('2',)}
    >>> parse_specs("Material: steel; Capacity: 1.5 L") == parse_specs("Material: steel<br>Capacity: 1.5 L")
    True
    >>> parse_specs("<ul><li>Material: <b>steel</b></li><li>Fit: A &amp; B</li></ul>")
    {'Material': ('steel',), 'Fit': ('A & B',)}
    """
    attributes: Values = {}
    for pair in _pairs(cell.strip()):
        name, value = (one_line(untagged(text)) for text in pair)
        if name and value and value not in attributes.get(name, ()):
            attributes[name] = (*attributes.get(name, ()), value)
    return attributes


def _pairs(cell: str) -> Iterator[tuple[str, str]]:
    if cell.startswith(("{", "[")):
        for text in (cell, _RUBY.sub(_as_json, cell)):
            with suppress(ValueError, RecursionError):
                yield from _leaves(json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None))
                return
    yield from _pieces(cell)


def _as_json(token: re.Match[str]) -> str:
    text = token.group()
    if text[0] == '"':
        with suppress(ValueError):
            return json.dumps(json.loads(text))
    if text[0] in "\"'":
        return json.dumps(_ESCAPE.sub(r"\1", text[1:-1]))
    return {"=>": ":", "nil": "null"}.get(text) or f'"{text[1:]}"'


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the pairs of a JSON value: ``{"key": …, "value": …}`` objects, plain objects, and whatever holds them."""
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    elif isinstance(value, dict):
        named = next((value[key] for key in _KEYS if isinstance(value.get(key), str)), "")
        values = [(named, value[key]) for key in _VALUES if key in value]
        for key, item in values[:1] or value.items():
            yield from _leaves(item, key)
    elif name and value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _pieces(cell: str) -> Iterator[tuple[str, str]]:
    """Yield ``key: value`` pieces between line breaks, else between ``;``, else between ``|``."""
    pieces = list(filter(str.strip, map(untagged, _BREAK.split(cell))))
    for mark in (";", "|"):
        pieces = pieces[0].split(mark) if len(pieces) == 1 else pieces
    for piece in pieces:
        key, colon, value = piece.partition(":")
        if colon and 0 < len(key.strip()) <= LONGEST_KEY:
            yield key, value
