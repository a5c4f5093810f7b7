"""The things of a JSON-LD document: products, wherever a graph or a list holds them, groups and their variants."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from converters.io.rows import decoded, json_values
from converters.schema import Outcome
from converters.sources.catalog.presets.schema_org.values import DEPTH, Thing, as_list, as_thing, texts

GROUP = "inProductGroupWithID"
PRODUCTS = {"Product", "ProductGroup", "ProductModel", "IndividualProduct", "SomeProducts", "Vehicle", "Car", "Drug"}
HOLDERS = ("@graph", "itemListElement", "item", "mainEntity", "itemOffered", "dataFeedElement")
IDS = ("sku", "productID", "productGroupID", "gtin", "gtin13", "gtin14", "gtin12", "gtin8", "mpn", "@id", "url")
_KEYS = ("productGroupID", *IDS, "name")  # of a group
_TIES = (b"isVariantOf", b"hasVariant")
_OWN = {*IDS, "@type", "name", "hasVariant", "variesBy", "isVariantOf"}  # what a variant does not have from its group
OTHER = {"offers", "review", "reviews", "aggregateRating", "image", "hasVariant", "isVariantOf", "@context", "@graph"}


def products(path: Path) -> Iterator[tuple[str, Thing | Outcome]]:
    """Yield the products of a file, a group's variants after it; what is no product comes as an outcome."""
    elsewhere = _groups(path, path.stat().st_mtime_ns) if path.is_file() else {}
    for where, row in decoded([path], dict[str, Any]):
        if isinstance(row, Outcome):
            yield where, row
            continue
        number = 0
        for number, thing in enumerate(_ungrouped([*within(as_thing(row))], elsewhere), 1):
            place, named = f"{where}.{number}" if number > 1 else where, types(thing)
            reason = f"no product: its type is {named[0][:60]!r}" if named else "no product: it has no type"
            yield place, thing if PRODUCTS & {*named} else Outcome(place, reason=reason)
        if not number:
            yield where, Outcome(where, reason="no product: an empty list")


@lru_cache(4)
def _groups(path: Path, _time: int) -> Mapping[str, str]:
    """Return the keys of groups by their own ``@id`` and by those of their variants, which may stand in other rows."""
    keys = dict[str, str]()
    if path.suffix == ".parquet":
        return keys
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for _, text in json_values(path):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            for thing in within(as_thing(decode(text))) if any(name in text for name in _TIES) else ():
                if is_group(thing) and (key := _key(thing)):
                    named = [thing, *(each for each in as_list(thing.get("hasVariant")) if isinstance(each, dict))]
                    keys |= {str(each["@id"]): key for each in named if "@id" in each}
    return keys


def within(thing: Thing, depth: int = 0) -> Iterator[Thing]:
    """Yield a thing, or the things that it holds where it is nothing else."""
    typed = {*types(thing)}
    held = [] if typed & {*PRODUCTS, "BreadcrumbList"} or depth > DEPTH else [n for n in HOLDERS if n in thing]
    if not held:
        yield thing
    for name in held:
        for item in as_list(thing[name]):
            if isinstance(item, dict):
                yield from within(as_thing(item), depth + 1)


def _ungrouped(things: Sequence[Thing], elsewhere: Mapping[str, str]) -> Iterator[Thing]:
    """Yield things with the key of their group, and after a group those of its variants that stand nowhere else.

    ``elsewhere`` has the keys of groups in other rows.
    """
    known = {str(thing["@id"]): thing for thing in things if "@id" in thing and len(thing) > 2}
    groups = {str(v.get("@id")): thing for thing in things for v in _held(thing.get("hasVariant"), known)}
    for thing in things:
        whole = {name: _resolved(value, known) for name, value in thing.items()}
        named = _held(thing.get("isVariantOf"), known)
        group = named[0] if named else groups.get(str(thing.get("@id")))
        if is_group(thing):
            whole[GROUP] = _key(thing)
            shared = {"@type": "Product", **_shared(whole)}
            variants = (each for each in _held(thing.get("hasVariant"), known) if str(each.get("@id")) not in known)
            yield from (whole, *({**shared, **each, GROUP: whole[GROUP]} for each in variants))
        elif group:
            yield {**_shared(group), **whole, GROUP: elsewhere.get(str(group.get("@id"))) or _key(group)}
        else:
            whose = next((each for each in as_list(thing.get("isVariantOf")) if isinstance(each, str)), "")
            yield {GROUP: elsewhere.get(str(thing.get("@id"))) or elsewhere.get(whose, whose), **whole}


def _held(value: Any, known: Mapping[str, Thing]) -> list[Thing]:
    """Return the things of a property; what is only named stands elsewhere in the graph."""
    items = (known.get(item) if isinstance(item, str) else _resolved(item, known) for item in as_list(value))
    return [as_thing(item) for item in items if isinstance(item, dict)]


def _resolved(value: Any, known: Mapping[str, Thing]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, known) for item in value]
    named = isinstance(value, dict) and {*value} in ({"@id"}, {"@id", "@type"})
    return known.get(str(value["@id"]), value) if named else value


def is_group(thing: Thing) -> bool:
    """Tell whether a thing stands for several products."""
    return "ProductGroup" in types(thing) or "hasVariant" in thing


def _shared(group: Thing) -> Thing:
    return {name: value for name, value in group.items() if name not in _OWN | OTHER}


def _key(group: Thing) -> str:
    return next((text for name in _KEYS for text in texts(group.get(name), None, addresses=True)), "")


def types(thing: Thing) -> list[str]:
    """Return the names of a thing's types, without the vocabulary."""
    return [re.split(r"[/#:]", name)[-1] for name in as_list(thing.get("@type")) if isinstance(name, str)]
