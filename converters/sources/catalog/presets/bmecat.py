"""BMEcat 1.2 and 2005, the catalogue format of German-speaking trade, with or without namespace.

The categories of a file are of one tree: the supplier's own groups (``CATALOG_GROUP_SYSTEM``) where products are mapped to them,
else the classification system with names of groups that most products refer to; option ``tree`` names another. The root of the
supplier's tree is the catalogue itself and is cut. Codes without names (ECLASS, ETIM) stay codes, which are no labels; features
that are codes are gathered under one name, so that they are counted as left out.
Format: bmecat.org, "Specification BMEcat 2005"; units are codes of UN/ECE recommendation 20.
"""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from converters.core.errors import InputError, nearest
from converters.io.tables import Sparse
from converters.io.xml import elements, local
from converters.schema import Outcome
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.head import Evidence, Head

TITLE = "a BMEcat catalogue"
OWN, CODED = "CATALOG_GROUP_SYSTEM", "features as codes"
_CLASSES, _REFERENCE = "CLASSIFICATION_SYSTEM", "REFERENCE_FEATURE_SYSTEM_NAME"
_MAPS, _PRODUCTS = ("ARTICLE_TO_CATALOGGROUP_MAP", "PRODUCT_TO_CATALOGGROUP_MAP"), ("ARTICLE", "PRODUCT")
_IDS, _DETAILS = ("SUPPLIER_AID", "SUPPLIER_PID"), ("ARTICLE_DETAILS", "PRODUCT_DETAILS")
_FEATURES = ("ARTICLE_FEATURES", "PRODUCT_FEATURES")
_CODE = re.compile(r"E[CFV]\d{6}|0173[-/]1.*|[A-Z]{3}\d{3}")  # of ETIM and of ECLASS
_UNITS = {
    **{
        "C62": "",
        "PCE": "",
        "GRM": "g",
        "KGM": "kg",
        "MMT": "mm",
        "CMT": "cm",
        "MTR": "m",
        "MTK": "m²",
        "MTQ": "m³",
        "LTR": "l",
    },
    **{"MLT": "ml", "WTT": "W", "KWT": "kW", "VLT": "V", "AMP": "A", "HTZ": "Hz", "CEL": "°C", "BAR": "bar", "P1": "%"},
}
_TWO_LETTERS = {"spa": "es", "por": "pt", "swe": "sv", "pol": "pl", "dut": "nl", "ger": "de", "ces": "cs", "cze": "cs"}


class Group(NamedTuple):
    """A group of a tree; the parent is empty, or that of no group, for a root."""

    name: str
    parent: str
    root: bool = False


@dataclass(slots=True)
class Trees:
    """A file's trees of groups by their names, the groups of each product, and which tree counts."""

    groups: dict[str, dict[str, Group]] = field(default_factory=dict)
    mapped: dict[str, list[str]] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)

    def resolve(self, system: str) -> str:
        """Return the tree of a system that a product refers to: that of its name, or the file's only one, whatever its name."""
        classes = [name for name in self.groups if name != OWN]
        return classes[0] if len(classes) == 1 else system

    @property
    def chosen(self) -> str:
        """The tree of the categories; empty where the file names no groups that products refer to."""
        used = Counter[str]()
        for system, count in self.used.items():
            used[self.resolve(system)] += count
        return OWN if self.mapped else next((name for name, _ in used.most_common() if self.groups.get(name)), "")

    def path(self, tree: str, group: str) -> tuple[str, ...]:
        """Return the names from the broadest group to this one, empty if one has none or is its own ancestor."""
        groups, names, seen = self.groups.get(tree, {}), list[str](), set[str]()
        while group in groups and group not in seen:
            seen.add(group)
            name, parent, root = groups[group]
            names += [] if root else [name]
            group = parent if parent != group else ""
        return tuple(reversed(names)) if all(names) and group not in seen else ()


def recognise(head: Head) -> Evidence | None:
    """Recognise a catalogue by its first element."""
    return Evidence(1, 1) if head.root.upper() == "BMECAT" else None


def options(head: Head) -> Mapping[str, Any]:
    """Return the options; the columns are names that :func:`rows` gives."""
    return {
        "id": "SUPPLIER_PID",
        "title": "DESCRIPTION_SHORT",
        "category": "GROUPS",
        "texts": {"Description": "DESCRIPTION_LONG"},
        "attributes": {"Brand": "MANUFACTURER_NAME"},
        "specs": ["FEATURES"],
    }


def remarks(head: Head, options: Mapping[str, Any]) -> Sequence[str]:
    """Say which tree the categories are from, and which others there are."""
    trees = _trees(head.path, head.given.get("locale"), head.given.get("encoding"))
    chosen = _tree(head.path, trees, head.given.get("tree"))
    lines = ("features that are codes are left out: nothing implies a code",) * bool(head.given.get("implicit"))
    if not chosen:
        return ("the file has no names of the groups that products refer to: codes are no labels", *lines)
    others = ", or ".join(shlex.quote(f"tree={name}") for name in trees.groups if name != chosen)
    return (f"categories are of the tree {chosen!r}" + f"; another: --option {others}" * bool(others), *lines)


def rows(paths: Sequence[Path], columns: Columns) -> Iterator[tuple[str, Cells | Outcome]]:
    """Yield a row a product; the groups, which may come after the products, are read first."""
    for path in paths:
        trees = _trees(path, columns.locale, columns.encoding)
        tree = _tree(path, trees, columns.tree)
        for where, product in elements(path, _PRODUCTS, columns.encoding):
            if product.get("mode", "").casefold() == "delete":
                yield where, Outcome(where, reason="product is to be deleted (mode)")
            else:
                yield where, Sparse(_cells(product, trees, tree, columns))


def _tree(path: Path, trees: Trees, named: str | None) -> str:
    if not named:
        return trees.chosen
    found = next((name for name in trees.groups if name.casefold() == named.casefold()), None)
    if found is None:
        raise InputError(f"{path}: no tree {named!r}{nearest(named, list(trees.groups))}")
    return found


def _trees(path: Path, locale: str | None, encoding: str | None) -> Trees:
    stat = path.stat()
    return _read_trees(path, locale, encoding, (stat.st_mtime_ns, stat.st_size))


@lru_cache(4)
def _read_trees(path: Path, locale: str | None, encoding: str | None, _stat: tuple[int, int]) -> Trees:
    """Read what is known of groups; memory grows with their number and that of products mapped to them."""
    trees = Trees()
    for _, element in elements(path, {OWN, _CLASSES, _REFERENCE, *_MAPS}, encoding):
        kind = local(element.tag)
        if kind == _REFERENCE:
            trees.used[(element.text or "").strip()] += 1
        elif kind in _MAPS:
            product, group = _text(element, locale, "ART_ID", "PROD_ID"), _text(element, locale, "CATALOG_GROUP_ID")
            trees.mapped.setdefault(product, []).append(group)
        elif kind == OWN:
            trees.groups.setdefault(OWN, {}).update(_groups(element, "CATALOG_STRUCTURE", "", locale))
        else:
            name = _text(element, locale, "CLASSIFICATION_SYSTEM_NAME", "CLASSIFICATION_SYSTEM_FULLNAME") or _CLASSES
            trees.groups.setdefault(name, {}).update(
                _groups(element, "CLASSIFICATION_GROUP", "CLASSIFICATION_", locale)
            )
    return trees


def _groups(system: Element, kind: str, prefix: str, locale: str | None) -> Iterator[tuple[str, Group]]:
    for each in system.iter():
        if local(each.tag) == kind:
            identifier, name = (_text(each, locale, f"{prefix}GROUP_{part}") for part in ("ID", "NAME"))
            parent = _text(each, locale, f"{prefix}GROUP_PARENT_ID", "PARENT_ID")
            yield identifier, Group(name, parent, kind == "CATALOG_STRUCTURE" and each.get("type") == "root")


def _cells(product: Element, trees: Trees, tree: str, columns: Columns) -> dict[str, str]:
    locale = columns.locale
    identifier = _text(product, locale, *_IDS)
    cells, groups, features = {_IDS[1]: identifier}, list[tuple[str, str]](), list[dict[str, Any]]()
    for part in product:
        kind = local(part.tag)
        if kind in _DETAILS:
            cells |= {local(each.tag): _text(part, locale, local(each.tag)) for each in part if not len(each)}
        elif kind in _FEATURES:
            system, group = (_text(part, locale, f"REFERENCE_FEATURE_{name}") for name in ("SYSTEM_NAME", "GROUP_ID"))
            groups += [(trees.resolve(system), group)] if group else []
            features += (_feature(each, locale) for each in part if local(each.tag) == "FEATURE")
    if tree == OWN:
        groups = [(OWN, group) for group in trees.mapped.get(identifier, ())]
    groups = [each for each in groups if not tree or each[0] == tree]
    paths = [path for each in groups if (path := trees.path(*each))]
    return cells | {
        "GROUPS": _json(paths) or _code(groups),
        # No text implies a code: with 'implicit' it would be an attribute.
        "FEATURES": _json(
            [each for each in features if each["name"] and not (columns.implicit and each["name"] == CODED)]
        ),
    }


def _code(groups: Sequence[tuple[str, str]]) -> str:
    """Return the first group's id in a form that no name has: labels count it as a code."""
    ids = (re.sub("[^a-z0-9]+", "_", group.casefold()).strip("_") for _, group in groups)
    return next((f"group_{each}" for each in ids if each), "")


def _feature(element: Element, locale: str | None) -> dict[str, Any]:
    name, unit = _text(element, locale, "FNAME"), _text(element, locale, "FUNIT")
    values = [value for each in element.iter() for value in _texts(each, locale, "FVALUE")]
    if _CODE.fullmatch(name) and not (name := _text(element, locale, "FDESCR")):
        return {"name": CODED, "value": [f"{_text(element, locale, 'FNAME')}={value}" for value in values]}
    if details := [value for value in _texts(element, locale, "FVALUE_DETAILS") if any(map(_CODE.fullmatch, values))]:
        values = details
    unit = _UNITS.get(unit, unit)
    return {"name": name, "value": values[0] if len(values) == 1 else values} | ({"unit": unit} if unit else {})


def _text(parent: Element, locale: str | None, *names: str) -> str:
    return next((text for name in names for text in _texts(parent, locale, name)), "")


def _texts(parent: Element, locale: str | None, name: str) -> list[str]:
    """Return the texts of children of a name in a language, or in that of the first of them."""
    found = [each for each in parent if local(each.tag) == name]
    if len(found) > 1 and (languages := [_language(each) for each in found]):
        wanted = (locale or "").casefold()[:2]
        spoken = wanted if wanted in languages else languages[0]
        found = [each for each, language in zip(found, languages, strict=True) if language == spoken]
    return [text for each in found if (text := (each.text or "").strip())]


def _language(element: Element) -> str:
    lang = next((value for key, value in element.attrib.items() if local(key) == "lang"), "").casefold()
    return _TWO_LETTERS.get(lang, lang[:2])


def _json(value: Sequence[Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""
