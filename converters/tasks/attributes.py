"""``[EXTRACT]``: the named attributes as one JSON object, ``null`` where the text does not say, several values as a list."""

import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring as quoted
from typing import Any

import msgspec

from converters.schema import Attributes
from converters.tasks.base import Task, with_texts

PREFIX = "[EXTRACT]"

Values = dict[str, tuple[str, ...]]


def prompt(record: Attributes) -> str:
    """Return the instruction with the attributes asked for and their definitions, then a labelled line per product text."""
    names = _listed([key for key, _ in record.values])
    instruction = f"{PREFIX} As JSON, null if not stated: {names}"
    if record.definitions:
        instruction += "".join([f" {name}: {sentence}" for name, sentence in record.definitions])
    return with_texts(instruction, record.texts)


def answer(record: Attributes) -> Values:
    """Return each attribute's values in the order asked; no value is an empty tuple."""
    return dict(record.values)


def render(values: Values) -> str:
    """Write a JSON object.

    >>> render({"Brand": ("Acme",), "Color": ("Red", "Blue"), "Size": ()})
    '{"Brand": "Acme", "Color": ["Red", "Blue"], "Size": null}'
    """
    return f"{{{', '.join([f'{quoted(key)}: {_shape(found)}' for key, found in values.items()])}}}"


def _shape(values: tuple[str, ...]) -> str:
    if len(values) > 1:
        return _listed(values)
    return quoted(values[0]) if values else "null"


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, texts))}]"


def parse(text: str) -> Values | None:
    """Read a JSON object of texts, numbers (kept as written), lists of them and nulls; anything else is unreadable.

    >>> parse('{"Size": 1.50, "Color": null, "Brand": ["Acme"]}')
    {'Size': ('1.50',), 'Color': (), 'Brand': ('Acme',)}
    >>> parse('{"Size": 1, "Size": 2}') is None and parse('{"a": {"b": 1}}') is None
    True
    """
    try:
        found = _usual(text)
    except (ValueError, RecursionError):
        found = None
    # Each name has a colon: where there are no more colons than names, none is named twice.
    if found is None or text.count(":") > len(found):
        return _parsed(text)
    return {name.strip(): _values(value) for name, value in found.items()}


# Nearly all answers are such, and read in half the time.
_usual = msgspec.json.Decoder(dict[str, str | list[str] | None]).decode


def _parsed(text: str) -> Values | None:
    """Return what :func:`parse` does, of any text."""
    try:
        found, end = _decode(stripped := text.strip(" \t\n\r"))
        if end < len(stripped):
            return None
        return {_text(key): _values(value) for key, value in found.items()}
    except (ValueError, RecursionError, AttributeError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an attribute is named twice")
    return found


_decode = json.JSONDecoder(parse_int=str, parse_float=str, object_pairs_hook=_object).raw_decode


def _values(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(dict.fromkeys(text for text in map(_text, value) if text))
    text = _text(value)
    return (text,) if text else ()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    if not value.isascii():
        value.encode()  # a lone surrogate is a ValueError
    return value.strip()


def meta(record: Attributes) -> Mapping[str, Any]:
    """Return the attributes asked for, so that scoring knows a slot from an extra key, and those that are only implied."""
    asked = {"attributes": [key for key, _ in record.values]}
    return asked | {"implicit": list(record.implicit)} if record.implicit else asked


METRICS = (
    "micro_f1", "micro_precision", "micro_recall", "attribute_macro_f1", "attribute_macro_precision", "attribute_macro_recall",
    "exact_match", "slot_accuracy", "slot_accuracy_stated", "token_f1", "value_f1", "semantic_f1", "mave_micro_f1",
    "mave_micro_precision", "mave_micro_recall",
)  # fmt: skip
TASK = Task(PREFIX, Attributes, prompt, answer, render, parse, kind="record", metrics=METRICS, meta=meta)
