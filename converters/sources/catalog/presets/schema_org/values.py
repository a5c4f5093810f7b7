"""The values of JSON-LD: texts in a language, things by their names, numbers with their units."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from converters.text.units import measure

DEPTH = 20  # of things in things
_CODES = ("codeValue", "termCode", "identifier", "url", "@id")
_PREFIX = re.compile(r"https?://(?:www\.)?schema\.org/|(?:schema|schemaorg|sdo|s):")
_LANGUAGE = re.compile(r"(?!url|sku|mpn)[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*|@none")
_ADDRESS = re.compile(r"https?://\S+")
_TAXONOMY = re.compile(r"https?://\S*google\S*[#=/](\d+)/?")

Thing = Mapping[str, Any]


def as_thing(value: Thing) -> Thing:
    """Return a thing with the names of its properties without the vocabulary."""
    return {_PREFIX.sub("", name, 1) if ":" in name else name: item for name, item in value.items()}


def as_list(value: Any) -> list[Any]:
    """Return the values of a property that may have several."""
    if isinstance(value, dict):
        return next((as_list(value[key]) for key in ("@list", "@set") if key in value), [value])
    return value if isinstance(value, list) else [] if value is None else [value]


def is_address(text: str) -> bool:
    """Tell whether a text is a web address."""
    return bool(_ADDRESS.fullmatch(text))


def locales(things: Iterable[Thing]) -> Counter[str]:
    """Return the languages of names and descriptions with their number."""
    items = (item for thing in things for name in ("name", "description") for item in as_list(thing.get(name)))
    return Counter(language for item in items for language, _ in _spoken(item) if language not in ("", "@none"))


def _spoken(item: Any) -> list[tuple[str, Any]]:
    """Return the language of a text with the text, or all of a map of languages; another item has none."""
    if not isinstance(item, dict):
        return [("", item)]
    if "@value" in item:
        return [(str(item.get("@language") or ""), item["@value"])]
    return [*item.items()] if item and all(map(_LANGUAGE.fullmatch, item)) else [("", item)]


def _in_locale(value: Any, locale: str | None) -> list[Any]:
    """Return the items of a property that are in a locale, in its language or in none, the first of these that there are."""
    spoken = [pair for item in as_list(value) for pair in _spoken(item)]
    wanted = (locale or next((language for language, _ in spoken if language), "")).replace("_", "-").casefold()
    for exact in (True, False):
        found = [item for language, item in spoken if language and _same(language, wanted, exact)]
        if found:
            return [each for item in found for each in as_list(item)]
    return [each for language, item in spoken if language in ("", "@none") for each in as_list(item)]


def _same(language: str, wanted: str, exact: bool) -> bool:
    language = language.replace("_", "-").casefold()
    return language == wanted if exact else language.split("-")[0] == wanted.split("-")[0]


def texts(value: Any, locale: str | None, addresses: bool = False, depth: int = 0) -> Iterator[str]:
    """Yield the texts of a property: names of things, numbers with their units; a web address only if it is asked for."""
    if value is None or depth == DEPTH:
        return
    for item in [value] if isinstance(value, str) else _in_locale(value, locale):
        if isinstance(item, dict):
            thing = as_thing(item)
            measures = [*_measures(thing, locale, depth)]
            yield from measures or texts(thing.get("name"), locale, False, depth + 1)
        elif text := _text(item):
            yield from [text] * (addresses or not is_address(text))


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value).strip()


def _measures(thing: Thing, locale: str | None, depth: int) -> Iterator[str]:
    """Yield the values of a ``PropertyValue`` or ``QuantitativeValue``, or its range, with the unit."""
    values = [*texts(thing.get("value"), locale, False, depth + 1)]
    ends = [text for name in ("minValue", "maxValue") for text in texts(thing.get(name), locale, False, depth + 1)]
    unit = next(
        (text for name in ("unitText", "unitCode") for text in texts(thing.get(name), locale, False, depth + 1)), ""
    )
    for text in values or (["-".join(dict.fromkeys(ends))] if ends else []):
        yield measure(text, unit) if unit and text[-1:].isdigit() else text


def specs(value: Any, locale: str | None, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the names and values of each ``PropertyValue``, and of those that it refers to."""
    for item in as_list(value) if depth < DEPTH else ():
        if not isinstance(item, dict):
            continue
        thing = as_thing(item)
        name = next((text for key in ("name", "propertyID") for text in texts(thing.get(key), locale)), "")
        within = [as_thing(each) for each in as_list(thing.get("valueReference")) if isinstance(each, dict)]
        own = [*_measures(thing, locale, depth)] or [
            text for each in within if not each.get("name") for text in _measures(each, locale, depth)
        ]
        if name and own:
            yield {"name": name, "value": own}
        yield from specs([each for each in within if each.get("name")], locale, depth + 1)


def categories(value: Any, locale: str | None) -> Iterator[str]:
    """Yield the names of categories, or their codes, or nothing but "" for one that has neither."""
    for item in _in_locale(value, locale):
        if isinstance(item, dict):
            thing = as_thing(item)
            found = ([*texts(thing.get(key), locale, True)] for key in ("name", *_CODES))
            yield from map(_looked_up, next(filter(None, found), [""]))
        elif text := _text(item):
            yield _looked_up(text)


def _looked_up(text: str) -> str:
    """Return the id of a category in Google's taxonomy, where a text is its address."""
    known = _TAXONOMY.fullmatch(text)
    return known[1] if known else text
