"""Shopify's product taxonomy: the category tree of its shops, with the attributes of each category and their values.

Raw format: ``dist/en/categories.txt`` (or that of another language), a head line ``# Shopify Product Taxonomy - Categories:
2025-03``, then ``gid://shopify/TaxonomyCategory/aa-1 : A > B`` lines whose ids are padded. As a source of its own it teaches the
paths, as :mod:`converters.sources.google_taxonomy` does. The ``catalog`` source checks a shop's categories against it, asks for
the attributes that ``categories.json`` and ``attributes.json`` (or ``taxonomy.json``, which holds both) give a category, and
turns categories into those of another taxonomy by the files of ``dist/en/integrations``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from converters.core.errors import InputError, first_line
from converters.core.unicode import composed
from converters.io import open_raw, reading
from converters.schema import Outcome
from converters.sources.google_taxonomy import Category, Taxonomy, outcomes, short
from converters.text.words import plain
from converters.text.words import words as plain_words

URL = "https://github.com/Shopify/product-taxonomy"
LICENCE = "MIT"
FILES = "categories.txt"
TASKS = ("category",)
HEAD = "# Shopify Product Taxonomy - Categories:"
MAPPING = "# Shopify Product Taxonomy - Mapping"
LONGEST = 6  # words of a value that is looked for in a text; thrice as many where letters are words
_FROM, _TO = "→", "⇒"
_LINE = re.compile(r"(gid://shopify/TaxonomyCategory/[a-zA-Z]+(?:-\d+)*)\s*:(.*)")
T = TypeVar("T")
_BRACKETS = re.compile(r"\(([^()]*)\)")


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a line; a name that stands under several parents ("Accessories") cannot tell its path."""
    for path in paths:
        yield from outcomes(load(path), "shopify", "not 'gid : A > B'")


def load(path: Path) -> Taxonomy:
    """Read ``categories.txt``; a wrong head, or a file without a category, is an ``InputError``."""
    head, *rest = text_lines(path)
    if not head.startswith(HEAD):
        raise InputError(f"{path}:1: found {head[:60]!r}, expected {HEAD!r} and a release")
    lines: list[tuple[str, str, Category]] = []
    for number, line in enumerate(rest, 2):
        match = _LINE.fullmatch(line.strip())
        nodes = nodes_of(match[2]) if match else ()
        if match or lines or not (line.startswith("#") or not line.strip()):
            lines.append((f"{path}:{number}", short(match[1]) if match else "", nodes))
    if not any(nodes for _, _, nodes in lines):
        raise InputError(f"{path}: no category; expected lines such as 'gid://shopify/TaxonomyCategory/ap : Animals'")
    return Taxonomy(head.removeprefix(HEAD).strip(), lines)


def text_lines(path: Path) -> list[str]:
    """Return the lines of a text file, at least one."""
    with open_raw(path) as file, reading(path):
        return file.read().decode("utf-8-sig", errors="replace").splitlines() or [""]


def nodes_of(text: str) -> Category:
    """Return the nodes of a path, ``()`` where one is empty.

    >>> nodes_of(" Home > Mugs "), nodes_of("Home > > Mugs")
    (('Home', 'Mugs'), ())
    """
    nodes = tuple(node.strip() for node in composed(text).split(">"))
    return nodes if all(nodes) else ()


@dataclass(frozen=True)
class Attribute:
    """An attribute of a category: its name, its handle and the values to choose from (none: a measure)."""

    name: str
    handle: str
    values: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def _spellings(self) -> frozenset[str]:
        """The values, joined: each whole, without what stands in brackets, what stands there, and what stands beside a slash."""
        forms = [
            form for value in self.values for form in (value, _BRACKETS.sub(" ", value), *_BRACKETS.findall(value))
        ]
        return frozenset(filter(None, ("".join(words(part)) for form in forms for part in (form, *form.split("/")))))

    def stands_in(self, text: frozenset[str]) -> bool:
        """Tell whether a text, as :func:`runs` of its words, holds one of the values in an obvious spelling."""
        return not self._spellings.isdisjoint(text)


def words(text: str) -> list[str]:
    """Return the words of a text without what spellings differ in: case, accents, punctuation, a plural's end.

    >>> words("Men's T-Shirts, Été"), words("ガラス") == words("カラス")
    (['men', 't', 'shirt', 'ete'], False)
    """
    found = plain_words(re.sub("['’]", "", plain(text)).replace("_", " "))
    return [word.removesuffix("s") if len(word) > 3 else word for word in found]


def runs(text: str) -> frozenset[str]:
    """Return all runs of up to :data:`LONGEST` words of a text, joined.

    >>> sorted(runs("Steel mug"))
    ['mug', 'steel', 'steelmug']
    """
    found, most = words(text), LONGEST if text.isascii() else 3 * LONGEST
    return frozenset(
        "".join(found[start:end]) for start in range(len(found)) for end in range(start + 1, start + 1 + most)
    )


@dataclass(frozen=True)
class Schema:
    """A release's attributes of every category, by the category's id."""

    release: str
    attributes: Mapping[str, tuple[Attribute, ...]]


class _Named(msgspec.Struct):
    name: str
    handle: str


class _Value(msgspec.Struct):
    name: str


class _Attribute(_Named):
    values: list[_Value] | None = None
    extended_attributes: list[_Named] | None = None


class _Category(msgspec.Struct):
    id: str
    full_name: str
    attributes: list[_Named] | None = None


class _Vertical(msgspec.Struct):
    categories: list[_Category]


class _File(msgspec.Struct):
    version: str = ""
    verticals: list[_Vertical] | None = None
    attributes: list[_Attribute] | None = None


def schema(paths: Sequence[Path]) -> Schema:
    """Read ``categories.json`` and ``attributes.json`` of one release, or its ``taxonomy.json``; else it is an ``InputError``."""
    files = [_decoded(path, _File) for path in paths]
    told = " and ".join(map(str, paths))
    categories = [each for file in files for vertical in file.verticals or () for each in vertical.categories]
    attributes = [attribute for file in files for attribute in file.attributes or ()]
    if not categories or not attributes:
        missing = "categories" if not categories else "attributes with values"
        raise InputError(
            f"{told}: has no {missing}: name both files of a release, schema: [categories.json, attributes.json], or its "
            "taxonomy.json"
        )
    if len(releases := {file.version for file in files}) > 1:
        raise InputError(f"{told}: are of the releases {', '.join(sorted(releases))}: name files of one release")
    values: dict[str, tuple[str, ...]] = {}
    for attribute in attributes:
        names = tuple(value.name for value in attribute.values or ())
        values |= {each.handle: names for each in (attribute, *(attribute.extended_attributes or ()))}
    known: dict[tuple[str, str], Attribute] = {}

    def one(named: _Named) -> Attribute:
        made = Attribute(named.name, named.handle, values.get(named.handle, ()))
        return known.setdefault((named.name, named.handle), made)

    return Schema(files[0].version, {short(each.id): tuple(map(one, each.attributes or ())) for each in categories})


class _Place(msgspec.Struct):
    full_name: str
    id: str = ""


class _Input(msgspec.Struct):
    category: _Place


class _Output(msgspec.Struct):
    category: list[_Place] | None = None


class _Rule(msgspec.Struct):
    input: _Input
    output: _Output


class _Mapping(msgspec.Struct):
    output_taxonomy: str
    rules: list[_Rule]


class _Mappings(msgspec.Struct):
    mappings: list[_Mapping]


def mapping(path: Path) -> dict[Category, tuple[str, Category]]:
    """Return the paths of a mapping file (``integrations/google/*.txt`` or ``.json``) with their id and path elsewhere.

    The text has no ids: they are empty. A rule of several output categories counts with the first.
    """
    if path.suffix == ".json":
        found = _decoded(path, _Mappings).mappings
        if len(found) != 1:
            raise InputError(f"{path}: found {len(found)} mappings, expected one: name the file of one other taxonomy")
        rules = ((rule.input.category, rule.output.category or []) for rule in found[0].rules)
        pairs = ((source.full_name, short(source.id), to[0].full_name) for source, to in rules if to)
    else:
        pairs = ((source, "", to) for source, to in _arrows(path))
    places = {nodes_of(source): (identifier, nodes_of(to)) for source, identifier, to in pairs}
    places.pop((), None)
    if not places:
        raise InputError(f"{path}: no rule; expected pairs of lines '→ Category' and '⇒ Category'")
    return places


def _arrows(path: Path) -> Iterator[tuple[str, str]]:
    source = ""
    for line in text_lines(path):
        if line.startswith(_FROM):
            source = line.removeprefix(_FROM)
        elif line.startswith(_TO):
            yield source, line.removeprefix(_TO)


def _decoded(path: Path, kind: type[T]) -> T:
    with open_raw(path) as file, reading(path):
        try:
            return msgspec.json.decode(file.read(), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a file of Shopify's taxonomy: {first_line(error)}") from error
