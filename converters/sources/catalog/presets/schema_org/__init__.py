"""Products in schema.org's vocabulary, as JSON-LD: one object, a list, one a line, or a ``@graph`` or ``ItemList`` of them.

Types and properties may be written with the vocabulary's address (``https://schema.org/name``) or a prefix (``schema:name``), a
text as ``{"@value": ..., "@language": ...}``, and a thing as ``{"@id": ...}`` that stands elsewhere in the graph. The variants of
a ``ProductGroup`` are rows of its group. Offers, reviews and ratings are neither texts nor attributes.
Vocabulary: schema.org/Product, /ProductGroup, /PropertyValue; w3.org/TR/json-ld11.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from converters.io.files import need_columns
from converters.io.tables import Sparse
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head
from converters.sources.catalog.presets.schema_org import things, values
from converters.sources.catalog.presets.schema_org.things import GROUP
from converters.sources.catalog.presets.schema_org.values import Thing

TITLE = "products in schema.org's vocabulary (JSON-LD)"
LOOK = 5_000  # products by which languages and properties are told
_TEXTS = {"Description": "description", "Short description": "disambiguatingDescription", "Slogan": "slogan"}
_ATTRIBUTES = (
    "brand",
    "manufacturer",
    "model",
    "color",
    "material",
    "pattern",
    "size",
    "weight",
    "width",
    "height",
    "depth",
)


def recognise(head: Head) -> Evidence | None:
    """Recognise a file of typed products, or one of objects that hold them."""
    if {".csv", ".tsv", ".txt", ".xml"} & {*head.path.suffixes}:
        return None
    held = [values.as_thing({name: _loaded(cell) for name, cell in row.items() if cell}) for row in head.rows]
    if not any(things.PRODUCTS & {*things.types(each)} for thing in held for each in things.within(thing)):
        return None
    names = {name for thing in held for name in thing}
    signs = [bool({*some} & names) for some in (("@type", "@graph"), ("@context", "@id"), ("name", *things.HOLDERS))]
    return Evidence(sum(signs), len(signs))


def options(head: Head) -> Mapping[str, Any]:
    """Return the options: the properties that the first products have, in the language of most of their texts."""
    seen = [thing for path in head.paths or (head.path,) for thing in islice(_things(path), LOOK)]
    names = {name for thing in seen for name, value in thing.items() if value not in (None, "", [], {})}
    need_columns(head.path, sorted({*names, "sku", GROUP}), _named(head.given))
    locales = values.locales(seen)
    return {
        "id": "sku",
        "title": "name",
        "category": "category" if "category" in names else None,
        "texts": {label: name for label, name in _TEXTS.items() if name in names},
        "attributes": {name.capitalize(): name for name in _ATTRIBUTES if name in names},
        "specs": "additionalProperty" if "additionalProperty" in names else None,
        "group": GROUP,
        "variants": 1,
        "locale": max(locales, key=locales.__getitem__, default=None),
    }


def remarks(head: Head, options: Mapping[str, Any]) -> list[str]:
    """Return the language that was chosen among several, unless the user did."""
    locales = values.locales(islice(_things(head.path), LOOK))
    named = f"texts in {options['locale']}, of {', '.join(locales)}: --option locale=..."
    return [named] * (len(locales) > 1 and "locale" not in head.given)


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield a row for each product and each variant, its properties as texts or lists of texts."""
    for path in paths:
        for where, thing in things.products(path):
            yield where, thing if isinstance(thing, Outcome) else _cells(thing, columns)


def _cells(thing: Thing, columns: Columns) -> Cells:
    cells = Sparse()
    for name, value in thing.items():
        if name == "additionalProperty":
            cells[name] = _json([*values.specs(value, columns.locale)])
        elif name in columns.category:
            found = [*values.categories(value, columns.locale)]
            items = [item for item in found if not values.is_address(item)] or found[:1]
            # An object without a name or a code has a reason of its own among those of labels.
            cells[name] = items[0] if len(items) == 1 and items[0] else _json([item or {} for item in items])
        elif name not in things.OTHER:
            texts = [*values.texts(value, columns.locale, addresses=name in (*things.IDS, GROUP))]
            one = "\n".join(texts) if name in columns.texts.values() else next(iter(texts), "")
            several = len(texts) > 1 and name not in (columns.title, columns.id, GROUP, *columns.texts.values())
            cells[name] = _json(texts) if several else one
    cells["sku"] = (
        cells[GROUP] if things.is_group(thing) else next((cells[name] for name in things.IDS if cells[name]), "")
    )
    return cells


def _named(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the properties that a user's options name."""
    for name in ("id", "title", "category", "texts", "attributes", "specs", "group"):
        value = given.get(name) or ()
        yield from [value] if isinstance(value, str) else value.values() if isinstance(value, dict) else value


def _things(path: Path) -> Iterator[Thing]:
    return (thing for _, thing in things.products(path) if not isinstance(thing, Outcome))


def _loaded(cell: str) -> Any:
    try:
        return json.loads(cell) if cell[:1] in ("{", "[") else cell
    except (ValueError, RecursionError):
        return cell


def _json(items: Sequence[Any]) -> str:
    return json.dumps(items, ensure_ascii=False) if items else ""
