"""The values of one cell: a text, a list of them in JSON or by separators, an object with a name or with a value and a unit."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from converters.io.rows import literal
from converters.text.html import untagged
from converters.text.none import is_none
from converters.text.sanitize import one_line
from converters.text.units import measure
from converters.text.words import stands

# An object's value, its unit and its name, by the keys of schema.org, WooCommerce, Akeneo and Shopify.
VALUE_KEYS = ("value", "values", "options", "amount", "attribute_value", "attributeValue", "@value")
UNIT_KEYS = ("unitText", "unit", "unitCode", "units", "unit_text", "unit_code")
NAME_KEYS = ("name", "label", "title")
# What shops and table programs write for "nothing".
_WORDS = (
    "n/a #n/a n.a. n.a na nan null nil <na> #null! #ref! #value! #name? unknown undefined unspecified tbd tba "
    "(blank) (none) (null)"
)
_PHRASES = (
    "not applicable|not available|not specified|not set|does not apply|no value|k. a.|k.a.|k. a|k.a|keine angabe|keine angaben|"
    "nicht zutreffend|nicht verfügbar|unbekannt|non applicable|non renseigné|non précisé|inconnu|sin especificar|no aplica|"
    "no disponible|desconocido|non disponibile|non applicabile|sconosciuto|não aplicável|desconhecido|niet van toepassing|"
    "onbekend|n.v.t.|nie dotyczy|brak danych|nieznany|belirtilmemiş|bilinmiyor|okänd|ukjent|ukendt|不适用|未知|該当なし|不明"
)
_NOTHING = frozenset([*_WORDS.split(), *_PHRASES.split("|")])
_NONES = (
    "none keine keiner kein aucun aucune ninguno ninguna nessuno nessuna nenhum nenhuma geen brak yok ingen 无 無 なし"
)
_NONE = frozenset(_NONES.split())
_MARK = r"[\W_]{1,3}"


def no_value(value: str, name: str, text: str) -> bool:
    """Tell whether a value is a word for "nothing"; "none" is one unless the text says it of the attribute.

    >>> no_value("N/A", "Brand", ""), no_value("--", "Brand", ""), no_value("No", "Lid", "")
    (True, True, False)
    >>> no_value("None", "Closure", "None better"), no_value("None", "Closure", "Bag. Closure: none.")
    (True, False)
    >>> no_value("なし", "ふた", "深皿。ふた：なしです。"), no_value("无", "盖子", "盖子未定，无。")
    (False, True)
    """
    word = value.strip().casefold()
    if word in _NOTHING or not any(map(str.isalnum, word)):
        return True
    # A shop's "false" or "missing" is an answer, too, where the text says so of the attribute: "Closure: none".
    if word not in _NONE and not is_none(word):
        return False
    said, text = rf"{re.escape(name.casefold())}{_MARK}{re.escape(word)}", text.casefold()
    return not any(stands(text, *match.span()) for match in re.finditer(said, text))


def cell_values(cell: str, separator: str | None) -> tuple[str, ...]:
    r"""Return the values of a cell, each on one line and without markup: those of JSON, else those that ``separator`` parts.

    >>> cell_values('["Red", "Blue"]', None), cell_values('{"name": "Acme"}', None)
    (('Red', 'Blue'), ('Acme',))
    >>> cell_values("[]", None), cell_values("[Red", None), cell_values("['Red', None, 'Men\\'s']", None)
    ((), ('[Red',), ('Red', "Men's"))
    >>> cell_values('{"value": "1.50", "unitCode": "LTR"}', None)
    ('1.5 l',)
    >>> cell_values(r"Oak, 1\,5 l", ", "), cell_values('"Sand, matt", Red', ","), cell_values("Oak, Pine", None)
    (('Oak', '1,5 l'), ('Sand, matt', 'Red'), ('Oak, Pine',))
    """
    if (value := _structure(cell)) is not None:
        with suppress(TypeError):  # what Python can write and JSON cannot
            return _unique(json_values(value))
    return _unique(parted(cell, separator) if separator else [cell])


def cell_text(cell: str) -> str:
    """Return the text of a cell; that of a list of texts is all of them, and of an empty one none.

    >>> cell_text('["Holds 1.5 l.", "Fits shelves."]'), cell_text("[]"), cell_text("[New] mug"), cell_text("['A', ['B', 2]]")
    ('Holds 1.5 l. Fits shelves.', '', '[New] mug', 'A B 2')
    """
    if (value := _structure(cell)) is not None:
        with suppress(TypeError):
            texts = [text.strip() for text in json_values(value) if text.strip()]
            return " ".join(texts) if texts or not any(value) else cell
    return cell


def _structure(cell: str) -> list[Any] | dict[str, Any] | None:
    """Return the list or object that a cell is, as JSON or as Python writes it."""
    text = cell.strip()
    if text[:1] not in ("[", "{"):
        return None
    for read in (loads, literal) if "'" in text else (loads,):
        with suppress(ValueError, RecursionError):
            value = read(text)
            return value if isinstance(value, (list, dict)) else None
    return None


def loads(text: str) -> Any:
    """Return a JSON value with its numbers as they are written; what is no JSON is a ``ValueError``."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)


def json_values(value: Any) -> Iterator[str]:
    """Yield the values in a JSON value: texts, objects with a name, or with a value and perhaps a unit, and lists of them."""
    if isinstance(value, list):
        for item in value:
            yield from json_values(item)
    elif isinstance(value, dict):
        if held := next((key for key in VALUE_KEYS if key in value), ""):
            unit = next((value[key] for key in UNIT_KEYS if isinstance(value.get(key), str)), "")
            yield from (measure(each, unit) if unit else each for each in json_values(value[held]))
        else:
            yield from next((json_values(value[key]) for key in NAME_KEYS if value.get(key) is not None), ())
    elif value is not None:
        yield value if isinstance(value, str) else json.dumps(value)


def parted(text: str, separator: str) -> list[str]:
    r"""Return the parts between separators that are neither quoted nor escaped; quotes and escapes are undone."""
    return [_plain(part, separator) for part in _splitter(separator).findall(text)]


@lru_cache(64)
def _splitter(separator: str) -> re.Pattern[str]:
    mark = re.escape(separator)
    # A quote opens at the beginning of a part only: in 12" it is a sign like any other.
    return re.compile(rf'(?:^|(?<={mark}))(?:\s*"(?:[^"]|"")*"\s*(?={mark}|$)|(?:\\.|(?!{mark}).)*)', re.DOTALL)


def _plain(part: str, separator: str) -> str:
    part = part.strip()
    if len(part) > 1 and part[0] == part[-1] == '"':
        return part[1:-1].replace('""', '"')
    return re.sub(rf"\\([{re.escape(separator.strip() or separator)}])", r"\1", part)


def _unique(texts: Sequence[str] | Iterator[str]) -> tuple[str, ...]:
    """Return texts without markup, on one line, each once in whatever case."""
    lines = (one_line(untagged(text)) for text in texts)
    return tuple({line.casefold(): line for line in reversed([*filter(None, lines)])}.values())[::-1]
