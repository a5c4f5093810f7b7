"""Your own catalogue: a CSV, TSV, JSON-lines or Parquet export with a title, a category and, if you have them, attributes.

Options name the columns, or a YAML file does (``mapping: shop.yaml``, the same keys). A category is one column with separators
(``A > B``, ``A >> B``, ``A | B``, ``A / B``, or a JSON list that holds such a text), or several columns, broadest first.
Attributes come from columns of their own and from one column of ``specs`` (JSON, a Ruby hash, ``key: value`` pieces). One that a
row does not state is not asked: a shop that left a field blank has not said that the text is silent. HTML is taken out of texts,
categories and values alike, so that a value still stands in its text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from converters import sources
from converters.core.errors import InputError, nearest, unreadable
from converters.core.hashing import digest
from converters.io.tables import rows
from converters.schema import Attributes, Listing, Outcome, Text
from converters.sources.catalog import cells as categories
from converters.sources.catalog.cells import specs as read_specs
from converters.sources.google_taxonomy import Taxonomy, load
from converters.text.html import MARKUP, has_markup, untagged
from converters.text.matching import occurs, product_group
from converters.text.sanitize import one_line

URL = "your own export"
LICENCE = "yours"
FILES = "*.csv, *.tsv, *.jsonl, *.parquet"
TASKS = ("category", "attributes")
BESIDE = ("mapping", "taxonomy")
ORDER = ("columns", "specs")

Row = Mapping[str, str]
Stated = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The options of :func:`read`."""

    id: str
    title: str
    category: tuple[str, ...]
    separator: str | None
    texts: Mapping[str, str]
    attributes: Mapping[str, str]
    specs: str | None
    asked: frozenset[str]
    order: tuple[str, ...]
    implicit: bool
    taxonomy: str | None
    remap: bool

    @property
    def shown(self) -> list[str]:
        """The columns that prompts and answers are made of."""
        more = [self.specs] if self.specs else []
        return [self.title, *self.category, *self.texts.values(), *self.attributes.values(), *more]

    @property
    def needed(self) -> list[str]:
        """The columns that a row must have."""
        return [self.id, *self.shown]


@dataclass(frozen=True, slots=True)
class Found:
    """A row's category path, or the reason why there is none; ``notes`` and ``detail`` are as in an outcome."""

    path: tuple[str, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    detail: str = ""


def read(
    paths: Sequence[Path],
    *,
    mapping: Annotated[
        str | None, "a YAML file with any of the other options; one that is given beside it wins"
    ] = None,
    id: Annotated[str, "the column of the product's id: SKU, ASIN, ..."] = "id",  # noqa: A002 - the option's name
    title: Annotated[str, "the column of its title"] = "title",
    category: Annotated[
        str | Sequence[str] | None,
        "the column of its category path, or a list of columns, broadest first; null for none",
    ] = "category",
    separator: Annotated[str | None, "what parts the nodes of a path; null: the first of >>, >, |, / in it"] = None,
    texts: Annotated[
        Mapping[str, str] | None, "more texts to show, labels to columns: {Description: description}"
    ] = None,
    attributes: Annotated[Mapping[str, str] | None, "attributes to ask for, names to columns: {Brand: brand}"] = None,
    specs: Annotated[str | None, "a column of many attributes: JSON, a Ruby hash or 'key: value' pieces"] = None,
    asked: Annotated[Sequence[str], "the names in specs to ask for; all of them where none is named"] = (),
    order: Annotated[
        Sequence[str], "where columns and specs differ on an attribute, the first of the two is right"
    ] = ORDER,
    implicit: Annotated[
        bool, "keep an attribute whose value is not in the texts, marked so, instead of leaving it out"
    ] = False,
    taxonomy: Annotated[str | None, "a file in Google's format; a category that is no path of it is left out"] = None,
    remap: Annotated[
        bool, "take a category that was renamed or moved to its only possible place in the taxonomy"
    ] = False,
) -> Iterator[Outcome]:
    """Yield one outcome a row; what is left out of a used one is noted."""
    if mapping:
        defaults = read.__kwdefaults__ or {}
        given = {k: v for k, v in locals().items() if k in defaults and k != "mapping" and v != defaults[k]}
        yield from read(paths, **(mapped(Path(mapping)) | given))
        return
    named = (category,) if isinstance(category, str) else tuple(category or ())
    columns = Columns(
        id=id, title=title, category=named, separator=separator, texts=texts or {}, attributes=attributes or {}, specs=specs,
        asked=frozenset(map(one_line, asked)), order=_ordered(order), implicit=implicit, taxonomy=taxonomy, remap=remap,
    )  # fmt: skip
    tree = load(Path(taxonomy)) if taxonomy else None
    for path in paths:
        for where, row in rows(path, columns.needed):
            yield row if isinstance(row, Outcome) else _outcome(where, row, columns, tree)


def mapped(path: Path) -> dict[str, Any]:
    """Read a YAML file of options; one that is missing, broken or has an unknown key is an ``InputError``."""
    import yaml

    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise unreadable(path, error, "a YAML file of options") from error
    known = [name for name in read.__kwdefaults__ or {} if name != "mapping"]
    if not isinstance(tree, dict):
        raise InputError(f"{path}: no keys; write some of: {', '.join(known)}")
    for key in tree:
        if key not in known:
            raise InputError(f"{path}: unknown key {str(key)!r}{nearest(str(key), known)}")
    sources.check("catalog", tree, f"{path}: ")
    return tree


def _ordered(order: Sequence[str]) -> tuple[str, ...]:
    if sorted(order) != sorted(ORDER):
        raise InputError(
            f"source 'catalog': found order {list(order)}, expected {' and '.join(ORDER)}, the right one first"
        )
    return tuple(order)


def _outcome(where: str, row: Row, columns: Columns, tree: Taxonomy | None) -> Outcome:
    title = untagged(row[columns.title])
    if not title.strip():
        return Outcome(where, reason="no title")
    told = ((label, untagged(row[column])) for label, column in columns.texts.items())
    texts = (Text("Title", title), *(Text(label, text) for label, text in told if text.strip()))
    group, identifier = product_group(row[columns.id], title), row[columns.id].strip() or digest(texts)
    found, (values, implicit, notes) = _category(row, title, columns, tree), _values(row, columns, texts)
    listing = Listing(
        identifier, group, texts, found.path, tree.release if tree else "", tree.children(found.path) if tree else ()
    )
    extraction = Attributes(identifier, group, texts, values, implicit)
    records = (*((listing,) if found.path else ()), *((extraction,) if values else ()))
    if records and found.reason:
        notes += (f"no category path: {found.reason}",)
    notes += (MARKUP,) * any(has_markup(row[column]) for column in columns.shown)
    reason = "" if records else found.reason or "no attribute to ask for"
    return Outcome(where, records, reason, found.notes + notes, detail=found.detail)


def _values(
    row: Row, columns: Columns, texts: Sequence[Text]
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...], tuple[str, ...]]:
    """Return the attributes with their values, the names of the implicit ones, and notes on what was left out."""
    stated, notes = _stated(row, columns)
    text = one_line(" ".join(text.text for text in texts))
    absent = [name for name, values in stated.items() if not all(occurs(value, text, True) for value in values)]
    if columns.implicit:
        return tuple(stated.items()), tuple(absent), notes
    kept = tuple((name, values) for name, values in stated.items() if name not in absent)
    return kept, (), notes + ("attribute left out: its value is not in the text",) * len(absent)


def _stated(row: Row, columns: Columns) -> tuple[Stated, tuple[str, ...]]:
    """Return the values of a row's attributes, where sources differ those of the earlier one."""
    cells = {name: one_line(untagged(row[column])) for name, column in columns.attributes.items()}
    told: dict[str, Stated] = {"columns": {name: (cell,) for name, cell in cells.items() if cell}, "specs": {}}
    notes: tuple[str, ...] = ()
    if columns.specs and row[columns.specs].strip():
        found = read_specs(row[columns.specs])
        told["specs"] = {n: v for n, v in (found or {}).items() if not columns.asked or n in columns.asked}
        notes = () if found else ("specs left out: neither JSON nor a Ruby hash nor 'key: value'",)
    first, second = (told[name] for name in columns.order)
    differ = sum(_folded(first[name]) != _folded(second[name]) for name in first if name in second)
    notes += (f"attribute in {columns.order[0]} and, differing, in {columns.order[1]}: the first counts",) * differ
    return second | first if columns.order[0] == "specs" else first | {
        k: v for k, v in second.items() if k not in first
    }, notes


def _folded(values: Sequence[str]) -> set[str]:
    return {value.casefold() for value in values}


def _category(row: Row, title: str, columns: Columns, tree: Taxonomy | None) -> Found:
    if not columns.category:
        return Found()
    if len(columns.category) == 1:
        nodes = categories.nodes(row[columns.category[0]], columns.separator)
    else:
        nodes = tuple(filter(None, (one_line(untagged(row[column])) for column in columns.category)))
    path = categories.without_title(nodes, title)
    notes = ("last node of the category is the title: cut",) if len(path) < len(nodes) else ()
    if not path:
        return Found(reason="category is the title" if nodes else "no category", notes=notes)
    if not all(path) or any(">" in node for node in path):
        return Found(reason="category with an empty node or a '>'", notes=notes)
    return _placed(path, notes, columns.remap, tree) if tree and path not in tree.paths else Found(path, notes=notes)


def _placed(path: tuple[str, ...], notes: tuple[str, ...], remap: bool, tree: Taxonomy) -> Found:
    kind, place, sure = tree.matcher.match(path)
    if remap and sure:
        return Found(place, notes=(*notes, f"category {kind} in the taxonomy: remapped"))
    hint = f"nearest to {' > '.join(path)!r}: {' > '.join(place)!r}" if place else f"nothing near {' > '.join(path)!r}"
    return Found(reason=f"category not in the taxonomy: {kind}", notes=notes, detail=hint)
