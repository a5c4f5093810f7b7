"""The taxonomy that a shop's categories are checked against: its file's format, an earlier release, a category's attributes.

Where ``previous`` names an earlier release, a category of it is looked up there, and its id in the taxonomy: a node that was
renamed or moved since has its new path, one that is gone is none. Where it names Shopify's file of the mapping to another
taxonomy, that file says the path.

Where ``schema`` names Shopify's attributes, a product is asked for those of its own category, by the schema's names. Columns are
matched by name or handle, whatever their case, accents, hyphens and plural. The values are the shop's, as far as the text says
them. What the shop does not state is asked, with the answer null, only if the text holds none of the values that the schema has
for it; otherwise, and where the schema has no values (measures), it is left out. A product of which the shop states none of them
is not asked: only nulls teach nothing. What is left out is counted.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from converters.core.errors import InputError
from converters.schema import Text
from converters.sources import google_taxonomy, shopify_taxonomy
from converters.sources.catalog.attributes import Notes, Stated
from converters.sources.catalog.attributes import attributes as stated_attributes
from converters.sources.catalog.columns import Columns
from converters.sources.catalog.products import Product
from converters.sources.google_taxonomy import BELOW, GONE, Category, Taxonomy, changes, short
from converters.sources.shopify_taxonomy import Attribute, Schema, runs, words

SILENT = "attribute of the category left out: the shop does not state it, the text may"
FOREIGN = "attribute of specs left out: its category has none of this name"
NONE_STATED = "attributes left out: the shop states none of its category's"
_METAFIELD = re.compile(r"\(product\.metafields\.[^.]+\.([^)]+)\)")


def load(path: Path) -> Taxonomy:
    """Read a taxonomy file in Google's or Shopify's format; any other is an ``InputError``."""
    head = shopify_taxonomy.text_lines(path)[0]
    if head.startswith(google_taxonomy.HEAD):
        return google_taxonomy.load(path)
    if head.startswith(shopify_taxonomy.HEAD):
        return shopify_taxonomy.load(path)
    raise InputError(
        f"{path}:1: found {head[:60]!r}, expected {google_taxonomy.HEAD!r} and a date, or {shopify_taxonomy.HEAD!r} and a release"
    )


@dataclass(frozen=True, slots=True)
class Previous:
    """What the categories are from, ``name``, and where each of its paths is now: kind of change, id, new path."""

    name: str
    places: Mapping[Category, tuple[str, str, Category]]
    ids: Mapping[str, Category]

    def by_id(self, identifier: str) -> Category:
        """Return the path that an id had, ``()`` if it had none."""
        return self.ids.get(short(identifier), ())

    def now(self, path: Category) -> tuple[str, str, Category]:
        """Return what became of a path, its id, and the path that it has now: itself if it is not known or not changed."""
        return self.places.get(path, ("", "", path))


def previous(columns: Columns, tree: Taxonomy | None) -> Previous | None:
    """Read the earlier release of a taxonomy that an entry names, or the mapping to it from another one."""
    if not columns.previous:
        return None
    if tree is None:
        raise InputError("source 'catalog', option previous: needs taxonomy, the file of the release to move to")
    path = Path(columns.previous)
    if path.suffix == ".json" or shopify_taxonomy.text_lines(path)[0].startswith(shopify_taxonomy.MAPPING):
        rules = shopify_taxonomy.mapping(path)
        ids = {identifier: source for source, (identifier, _) in rules.items() if identifier}
        return Previous(path.name, {source: ("mapped", *rule) for source, rule in rules.items()}, ids)
    old = load(path)
    places = {path: ("", identifier, path) for path, identifier in old.ids.items()}
    for change in changes(old, tree):
        if change.old:
            kind = "under a renamed or moved one" if change.kind == BELOW else change.kind
            places[change.old] = (kind, change.id, change.new)
    if all(kind == GONE for kind, _, _ in places.values()):
        raise InputError(f"{path}: shares no id with the taxonomy: name an earlier release of the same one")
    return Previous(old.release, places, {identifier: path for path, (_, identifier, _) in places.items()})


class Settled(NamedTuple):
    """A path of the taxonomy, or the reason why there is none; notes and detail are as in an outcome."""

    path: Category = ()
    reason: str = ""
    notes: Notes = ()
    detail: str = ""


def settled(path: Category, tree: Taxonomy, earlier: Previous | None, remap: bool) -> Settled:
    """Return where a shop's category is in a taxonomy."""
    kind, identifier, now = earlier.now(path) if earlier else ("", "", path)
    since, name = earlier.name if earlier else "", repr(" > ".join(path))
    notes = (f"category {kind} since {since}: has its new path",) * bool(kind)
    if now in tree.paths:
        return Settled(now, "", notes)
    if not now:
        detail = f"{name} (id {identifier}) of {since} is not in {tree.release}{_nearest(tree, path)}"
        return Settled((), "category gone from the taxonomy", (), detail)
    kind, nearest, sure = tree.match(now)
    if remap and sure:
        return Settled(nearest, "", (*notes, f"category {kind} in the taxonomy: remapped"))
    detail = f"nearest to {name}: {' > '.join(nearest)!r}" if nearest else f"nothing near {name}"
    return Settled((), f"category not in the taxonomy: {kind}", (), detail)


def _nearest(tree: Taxonomy, path: Category) -> str:
    nearest = tree.match(path).nearest
    return f"; nearest: {' > '.join(nearest)!r}" if nearest else ""


def schema(columns: Columns, tree: Taxonomy | None) -> Schema | None:
    """Read the attributes of categories that an entry names; without Shopify's taxonomy of the same release they do not fit."""
    if not columns.schema:
        return None
    found = shopify_taxonomy.schema([Path(name) for name in columns.schema])
    if tree is None:
        raise InputError(
            "source 'catalog', option schema: needs taxonomy, Shopify's categories.txt of the same release"
        )
    if tree.release != found.release:
        raise InputError(
            f"{columns.schema[0]}: is of release {found.release!r}, the taxonomy of {tree.release!r}: name files of one release"
        )
    return found


def of_category(product: Product, columns: Columns, texts: Sequence[Text], wanted: Sequence[Attribute]) -> Stated:
    """Return the attributes of a product that its category has, as the head of this module says."""
    stated = stated_attributes(product, replace(columns, implicit=True), texts)
    names = {key: name for name in reversed(stated.values) for key in _keys(name, columns)}
    found = {a.name: names.get(_key(a.name)) or names.get(_key(a.handle)) or "" for a in wanted}
    text = runs(" ".join(text.text for text in texts))
    silent = {a.name for a in wanted if not found[a.name] and a.values and not a.stands_in(text)}
    absent = {name for name, own in found.items() if own in stated.implicit}
    kept = {
        name: own for name, own in found.items() if name in silent or (own and (columns.implicit or name not in absent))
    }
    values = {name: stated.values.get(own, ()) for name, own in kept.items()}
    foreign = stated.values.keys() - {*found.values()}
    notes = [
        f"attribute {name!r} left out: its value is not in the text" for name in found if name in absent - kept.keys()
    ]
    notes += [SILENT] * sum(not own and name not in silent for name, own in found.items())
    notes += [
        f"attribute {name!r} left out: its category has none of this name"
        for name in columns.attributes
        if name in foreign
    ]
    notes += [FOREIGN] * len(foreign - columns.attributes.keys())
    if not any(values.values()):
        return Stated({}, (), (*stated.notes, *notes, NONE_STATED))
    return Stated(values, tuple(name for name in kept if name in absent), (*stated.notes, *notes))


def _key(name: str) -> str:
    return " ".join(words(name))


def _keys(name: str, columns: Columns) -> tuple[str, ...]:
    """Return what an attribute is known by: its name, and the key of the metafield that its column is."""
    metafield = _METAFIELD.search(columns.attributes.get(name, ""))
    return (_key(name), *([_key(metafield[1])] if metafield else []))
