"""A cell of many attributes, in any of the forms in which exports write them."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from converters.sources.catalog.attributes.spec_lists import pairs_of
from converters.sources.catalog.attributes.values import NAME_KEYS, UNIT_KEYS, VALUE_KEYS, json_values, loads
from converters.text.html import untagged
from converters.text.sanitize import one_line

Values = dict[str, tuple[str, ...]]
_RUBY = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|=>|\bnil\b|:\w+(?=\s*=>)""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KEYS = ("key", "name", "attribute", "attribute_name", "attributeName", "attribute_code", "label")
_UNNAMED = ("value", "values", "attribute_value", "attributeValue")  # no attributes, whatever the object's name
# What an object that only has a name may hold beside it.
_LINKED = ("@type", "@id", "@context")
_ABOUT = frozenset((*_LINKED, "id", "slug", "url", "code", "codeValue", "inCodeSet", *NAME_KEYS))


def parse_specs(cell: str, form: str = "") -> Values:
    r"""Return the attributes of a cell in its order, several values of one name together; a value without a name is left out.

    ``form`` is that of the cell's column, see :mod:`converters.sources.catalog.attributes.spec_lists`.

    >>> parse_specs('{"specification"=>[{"key"=>"Fabric", "value"=>"Cotton"}, {"value"=>"3 shorts"}]}')
    {'Fabric': ('Cotton',)}
    >>> parse_specs('{"Color": ["Red", "Blue"], "Pieces": 2, "brand": {"@type": "Brand", "name": "Acme"}}')
    {'Color': ('Red', 'Blue'), 'Pieces': ('2',), 'brand': ('Acme',)}
    >>> parse_specs('[{"name": "Capacity", "value": 1.50, "unitCode": "LTR"}, {"name": "Colour", "options": ["Red", "Sky"]}]')
    {'Capacity': ('1.5 l',), 'Colour': ('Red', 'Sky')}
    >>> parse_specs("Material: steel; Capacity: 1.5 L") == parse_specs("Material: steel<br>Capacity: 1.5 L")
    True
    >>> parse_specs("<ul><li>Material: <b>steel</b></li><li>Fit: A &amp; B</li></ul>")
    {'Material': ('steel',), 'Fit': ('A & B',)}
    >>> parse_specs("fabric=Wool|Silk,note=a, b,url=https://acme.example/?a=1")
    {'fabric': ('Wool', 'Silk'), 'note': ('a, b',), 'url': ('https://acme.example/?a=1',)}
    >>> parse_specs('size="1,5 l",top="Sand ""matt"", soft"'), parse_specs('"Drain=Yes";"Use=a;b"')
    ({'size': ('1,5 l',), 'top': ('Sand "matt", soft',)}, {'Drain': ('Yes',), 'Use': ('a;b',)})
    >>> parse_specs("Fabric:Wool:1,Cups:6:2"), parse_specs('General:Lining:wool,"General:Use:a, b"')
    ({'Fabric': ('Wool',), 'Cups': ('6',)}, {'Lining': ('wool',), 'Use': ('a, b',)})
    """
    attributes: dict[str, dict[str, None]] = {}
    for pair in _pairs(cell.strip(), form):
        name, value = (one_line(untagged(text)) for text in pair)
        if name and value:
            attributes.setdefault(name, {})[value] = None
    return {name: tuple(values) for name, values in attributes.items()}


def _pairs(cell: str, form: str) -> Iterator[tuple[str, str]]:
    if cell.startswith(("{", "[")):
        for text in (cell, _RUBY.sub(_as_json, cell)):
            with suppress(ValueError, RecursionError):
                yield from [*_leaves(loads(text))]
                return
    yield from pairs_of(cell, form)


def _as_json(token: re.Match[str]) -> str:
    text = token.group()
    if text[0] == '"':
        with suppress(ValueError):
            return json.dumps(json.loads(text))
    if text[0] in "\"'":
        return json.dumps(_ESCAPE.sub(r"\1", text[1:-1]))
    return {"=>": ":", "nil": "null"}.get(text) or f'"{text[1:]}"'


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the pairs of a JSON value: objects with a name and a value, plain objects, and whatever holds them."""
    if isinstance(value, list):
        for item in value:
            yield from pairs_of(item) if isinstance(item, str) and not name else _leaves(item, name)
    elif isinstance(value, dict):
        yield from _object(value, name)
    elif name and value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _object(value: dict[str, Any], name: str) -> Iterator[tuple[str, str]]:
    named = next((value[key] for key in _KEYS if isinstance(value.get(key), str)), "")
    held = next((key for key in VALUE_KEYS if key in value), "")
    measured = any(key in value for key in UNIT_KEYS)
    if held and (named or measured or held in _UNNAMED):
        texts = [*json_values(value)]
        own = named or (name if measured else "")
        yield from ((own, text) for text in texts) if texts else _leaves(value[held], own)
    elif name and named and _ABOUT.issuperset(value):
        yield name, named
    else:
        for key, item in value.items():
            yield from _leaves(item, key) if key not in _LINKED else ()
