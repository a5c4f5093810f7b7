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
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from converters.core.errors import InputError
from converters.schema import Text
from converters.sources import google_taxonomy, shopify_taxonomy
from converters.sources.catalog.attributes import Notes, Stated
from converters.sources.catalog.columns import Columns
from converters.sources.google_taxonomy import BELOW, GONE, Category, Change, Taxonomy, changes, short
from converters.sources.shopify_taxonomy import Attribute, Schema, runs, words

GONE_FROM = "category gone from the taxonomy"
MAPPED = "category has its path in the other taxonomy"
SILENT = "attribute of the category left out: the shop does not state it, the text may"
FOREIGN = "left out: its category has none of this name"
NONE_KNOWN = "attributes left out: no category with attributes"
NONE_STATED = "attributes left out: the shop states none of its category's"
_SHARED = {"color-pattern": "color"}  # a metafield of two attributes, whose columns hold colours
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


class Moved(NamedTuple):
    """Where a path of an earlier release is now, or the reason why it is nowhere; notes and detail are as in an outcome."""

    path: Category = ()
    reason: str = ""
    notes: Notes = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Previous:
    """What the categories are from: its paths by id, and by path those that the taxonomy in use has elsewhere or not at all."""

    ids: Mapping[str, Category]
    places: Mapping[Category, Moved]

    def by_id(self, identifier: str) -> Category:
        """Return the path that an id had, ``()`` if it had none."""
        return self.ids.get(short(identifier), ())

    def change(self, path: Category) -> Moved | None:
        """Return what became of a path, nothing if it is not known or not changed."""
        return self.places.get(path)


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
        return Previous(ids, {source: Moved(to, notes=(MAPPED,)) for source, (_, to) in rules.items() if to})
    old = load(path)
    found, ids = changes(old, tree), {identifier: path for _, identifier, path in old.lines if path}
    if sum(change.kind == GONE for change in found) == len(ids):
        raise InputError(f"{path}: has no id of the taxonomy: name an earlier release of the same one")
    return Previous(ids, {change.old: _moved(change, old, tree) for change in found if change.old})


def _moved(change: Change, old: Taxonomy, tree: Taxonomy) -> Moved:
    if change.new:
        kind = "under another name" if change.kind == BELOW else change.kind
        return Moved(change.new, notes=(f"category {kind} since {old.release}: has its new path",))
    nearest = tree.match(change.old).nearest
    hint = f"; nearest: {' > '.join(nearest)!r}" if nearest else ""
    detail = f"{' > '.join(change.old)!r} (id {change.id}) of {old.release} is not in {tree.release}{hint}"
    return Moved((), GONE_FROM, detail=detail)


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


def of_category(stated: Stated, columns: Columns, texts: Sequence[Text], wanted: Sequence[Attribute]) -> Stated:
    """Return those attributes of a product that its category has, as the head of this module says."""
    if not wanted:
        return Stated({}, (), (NONE_KNOWN,))
    told = (*stated.values, *stated.absent)
    names = {key: name for name in reversed(told) for key in _keys(name, columns)}
    found = {a.name: names.get(_key(a.name)) or names.get(_key(a.handle)) or "" for a in wanted}
    text = runs(" ".join(text.text for text in texts))
    silent = {a.name for a in wanted if not found[a.name] and a.values and not a.stands_in(text)}
    values = {name: stated.values.get(own, ()) for name, own in found.items() if own in stated.values or name in silent}
    foreign = stated.values.keys() - {*found.values()}
    notes = [SILENT] * sum(not own and name not in silent for name, own in found.items())
    notes += [f"attribute {name!r} {FOREIGN}" for name in columns.attributes if name in foreign]
    notes += [f"attribute of specs {FOREIGN}"] * len(foreign - columns.attributes.keys())
    if not any(values.values()):
        return Stated({}, (), (*stated.notes, *notes, NONE_STATED))
    return Stated(values, tuple(name for name in values if found[name] in stated.implicit), (*stated.notes, *notes))


def _key(name: str) -> str:
    return " ".join(words(name))


def _keys(name: str, columns: Columns) -> tuple[str, ...]:
    """Return what an attribute is known by: its name, and the key of the metafield that its column is."""
    metafield = _METAFIELD.search(columns.attributes.get(name, ""))
    return (_key(name), *([_key(_SHARED.get(metafield[1], metafield[1]))] if metafield else []))
