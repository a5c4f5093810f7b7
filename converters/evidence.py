"""hetPQA's attribute evidence, a notation close to JSON, as a text that a person would read."""

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"""\s*(?:([{}\[\],:;])|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^{}\[\],:;"']+))""")
_SAID = {"true": "yes", "false": "no"}
_VALUES = ("value", "decimal_value", "string_value", "normalized_value")
_ASIDE = {*_VALUES, "standardized_values", "unit", "type"}

Value = str | list["Value"] | dict[str, "Value"]


def readable(evidence: str) -> str | None:
    """Return the attribute's name and its values in words, ``None`` where the evidence is not in this notation.

    >>> readable('item_weight:  { unit:kilograms, normalized_value:{ unit:pounds, value:2.2 }, value:1.0 }')
    'item weight: 1.0 kilograms'
    >>> readable('num_batteries:  { quantity:3, type:d }; { quantity:3, type:lithium_ion }')
    'num batteries: quantity 3, type d; quantity 3, type lithium ion'
    >>> readable("it is red.") is None
    True
    """
    name, colon, rest = evidence.partition(":")
    tokens = _tokens(rest)
    if not (colon and tokens and re.fullmatch(r"\w+", name.strip())):
        return None
    values: list[str] = []
    try:
        while tokens:
            values.append(_told(_value(tokens)))
            if tokens and tokens.pop()[0] != ";":
                return None
    except (IndexError, ValueError, RecursionError):
        return None
    return f"{_words(name.strip())}: {'; '.join(values)}" if all(values) else None


def _tokens(text: str) -> list[tuple[str, str]]:
    """Return signs and texts, the first one last; nothing if something else is among them."""
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if not token:
            return []
        sign, double, single, bare = token.groups()
        quoted = double if double is not None else single
        said = _words(bare.strip()) if bare else re.sub(r"\\(.)", r"\1", quoted or "")
        found.append((sign or "", "" if sign else _SAID.get(said, said)))
        at = token.end()
    return found[::-1]


def _words(text: str) -> str:
    return text.replace("_", " ")


def _value(tokens: list[tuple[str, str]]) -> Value:
    """Take one value from the end of ``tokens``; what is no value is a ``ValueError`` or ``IndexError``."""
    sign, text = tokens.pop()
    if not sign:
        return text
    if sign not in "{[":
        raise ValueError
    pairs: dict[str, Value] = {}
    several: list[Value] = []
    closing = "}" if sign == "{" else "]"
    while tokens[-1][0] != closing:
        if sign == "{":
            key = tokens.pop()[1].replace(" ", "_")
            if not key or tokens.pop()[0] != ":":
                raise ValueError
            pairs[key] = _value(tokens)
        else:
            several.append(_value(tokens))
        if tokens[-1][0] == ",":
            tokens.pop()
        elif tokens[-1][0] != closing:
            raise ValueError
    tokens.pop()
    return pairs if sign == "{" else several


def _told(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    main = next((value[key] for key in _VALUES if key in value), None)
    if main is None or value.keys() - _ASIDE:
        return ", ".join(f"{_words(key)} {_told(part)}" for key, part in value.items())
    return _measured(_told(main), value)


def _measured(text: str, value: Mapping[str, Value]) -> str:
    unit, kind = (_told(value.get(key, "")) for key in ("unit", "type"))
    return f"{text} {unit}".strip() + (f" ({kind})" if kind not in ("", "unknown") else "")
