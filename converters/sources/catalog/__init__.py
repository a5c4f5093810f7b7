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
from typing import Annotated, NamedTuple

from converters.core.errors import InputError
from converters.core.hashing import digest
from converters.io.tables import rows
from converters.schema import Attributes, Listing, Outcome, Record, Text
from converters.sources.catalog.cells import Values, parse_category, parse_specs, without_title
from converters.sources.google_taxonomy import Category, Taxonomy, load
from converters.text.html import MARKUP, has_markup, untagged
from converters.text.matching import occurs, product_group
from converters.text.sanitize import one_line

URL = "your own export"
LICENCE = "yours"
FILES = "*.csv, *.tsv, *.jsonl, *.parquet"
TASKS = ("category", "attributes")
FILE_OPTIONS = ("mapping", "taxonomy")
ORDER = ("columns", "specs")

Cells = Mapping[str, str]  # of a row, by column
Notes = tuple[str, ...]


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
    order: Sequence[str]
    implicit: bool
    remap: bool

    @property
    def visible(self) -> list[str]:
        """The columns that prompts and answers are made of."""
        specs = [self.specs] if self.specs else []
        return [self.title, *self.category, *self.texts.values(), *self.attributes.values(), *specs]


class Placement(NamedTuple):
    """A row's category path, or the reason why there is none; ``notes`` and ``detail`` are as in an outcome."""

    path: Category = ()
    reason: str = ""
    notes: Notes = ()
    detail: str = ""


def read(
    paths: Sequence[Path],
    *,
    mapping: Annotated[str | None, "a YAML file with any of the other options; one given beside it wins"] = None,
    id: Annotated[str, "the column of the product's id: SKU, ASIN, ..."] = "id",  # noqa: A002 - the option's name
    title: Annotated[str, "the column of its title"] = "title",
    category: Annotated[
        str | Sequence[str] | None,
        "the column of its category path, or a list of columns, broadest first; null for none",
    ] = "category",
    separator: Annotated[str | None, "what parts the nodes of a path; null: the first of >>, >, |, / in it"] = None,
    texts: Annotated[Mapping[str, str] | None, "more texts, labels to columns: {Description: description}"] = None,
    attributes: Annotated[Mapping[str, str] | None, "attributes to ask for, names to columns: {Brand: brand}"] = None,
    specs: Annotated[str | None, "a column of many attributes: JSON, a Ruby hash or 'key: value' pieces"] = None,
    asked: Annotated[Sequence[str], "the names in specs to ask for; all of them where none is named"] = (),
    order: Annotated[
        Sequence[str], "where columns and specs differ on an attribute, the first of them is right"
    ] = ORDER,
    implicit: Annotated[bool, "keep an attribute whose value is not in the texts, marked as implicit"] = False,
    taxonomy: Annotated[str | None, "a file in Google's format; a category that is no path of it is left out"] = None,
    remap: Annotated[bool, "move a renamed or moved category to its only possible place in the taxonomy"] = False,
) -> Iterator[Outcome]:
    """Yield one outcome a row; what is left out of a used one is noted. :func:`converters.sources.read` reads ``mapping``."""
    if sorted(order) != sorted(ORDER):
        raise InputError(f"source 'catalog': found order {list(order)}, expected columns and specs, the first wins")
    columns = Columns(
        id=id, title=title, category=(category,) if isinstance(category, str) else tuple(category or ()), separator=separator,
        texts=texts or {}, attributes=attributes or {}, specs=specs, asked=frozenset(map(one_line, asked)), order=order,
        implicit=implicit, remap=remap,
    )  # fmt: skip
    tree = load(Path(taxonomy)) if taxonomy else None
    for path in paths:
        for where, cells in rows(path, [id, *columns.visible]):
            yield cells if isinstance(cells, Outcome) else _outcome(where, cells, columns, tree)


def _outcome(where: str, cells: Cells, columns: Columns, tree: Taxonomy | None) -> Outcome:
    title = untagged(cells[columns.title])
    if not title.strip():
        return Outcome(where, reason="no title")
    others = ((label, untagged(cells[column])) for label, column in columns.texts.items())
    texts = (Text("Title", title), *(Text(label, text) for label, text in others if text.strip()))
    identifier, group = cells[columns.id].strip() or digest(texts), product_group(cells[columns.id], title)
    records: list[Record] = []
    path, reason, notes, detail = _category(cells, title, columns, tree)
    if path:
        release, children = (tree.release, tree.children(path)) if tree else ("", ())
        records.append(Listing(identifier, group, texts, path, release, children))
    values, implicit, more_notes = _attributes(cells, columns, texts)
    notes += more_notes
    if values:
        records.append(Attributes(identifier, group, texts, tuple(values.items()), implicit))
        notes += (f"no category path: {reason}",) * bool(reason)
    notes += (MARKUP,) * any(has_markup(cells[column]) for column in columns.visible)
    return Outcome(where, tuple(records), "" if records else reason or "no attribute to ask for", notes, detail=detail)


def _attributes(cells: Cells, columns: Columns, texts: Sequence[Text]) -> tuple[Values, tuple[str, ...], Notes]:
    """Return the attributes with their values, the names of the implicit ones, and notes on what was left out."""
    values, notes = _stated(cells, columns)
    text = one_line(" ".join(text.text for text in texts))
    absent = tuple(name for name, stated in values.items() if not all(occurs(value, text, True) for value in stated))
    if columns.implicit:
        return values, absent, notes
    notes += ("attribute left out: its value is not in the text",) * len(absent)
    return {name: stated for name, stated in values.items() if name not in absent}, (), notes


def _stated(cells: Cells, columns: Columns) -> tuple[Values, Notes]:
    """Return the values of a row's attributes, and notes; where columns and specs differ, those of the first in order count."""
    texts = {name: one_line(untagged(cells[column])) for name, column in columns.attributes.items()}
    values: dict[str, Values] = {"columns": {name: (text,) for name, text in texts.items() if text}, "specs": {}}
    notes: Notes = ()
    if columns.specs and cells[columns.specs].strip():
        specs = parse_specs(cells[columns.specs])
        values["specs"] = {name: specs[name] for name in specs if not columns.asked or name in columns.asked}
        notes = () if specs else ("specs left out: neither JSON nor a Ruby hash nor 'key: value'",)
    first, second = (values[name] for name in columns.order)
    folded = [{name: {*map(str.casefold, texts)} for name, texts in part.items()} for part in (first, second)]
    differ = sum(folded[0][name] != folded[1][name] for name in first.keys() & second)
    notes += (f"attribute in {columns.order[0]} and, differing, in {columns.order[1]}: the first counts",) * differ
    return values["columns"] | values["specs"] | first, notes


def _category(cells: Cells, title: str, columns: Columns, tree: Taxonomy | None) -> Placement:
    if not columns.category:
        return Placement()
    if len(columns.category) == 1:
        nodes = parse_category(cells[columns.category[0]], columns.separator)
    else:
        nodes = tuple(filter(None, (one_line(untagged(cells[column])) for column in columns.category)))
    path = without_title(nodes, title)
    notes = ("last node of the category is the title: cut",) * (len(path) < len(nodes))
    if not path:
        return Placement((), "category is the title" if nodes else "no category", notes)
    if not all(path) or any(">" in node for node in path):
        return Placement((), "category with an empty node or a '>'", notes)
    return _in_tree(path, notes, columns.remap, tree) if tree and path not in tree.paths else Placement(path, "", notes)


def _in_tree(path: Category, notes: Notes, remap: bool, tree: Taxonomy) -> Placement:
    kind, nearest, sure = tree.match(path)
    if remap and sure:
        return Placement(nearest, "", (*notes, f"category {kind} in the taxonomy: remapped"))
    name = repr(" > ".join(path))
    detail = f"nearest to {name}: {' > '.join(nearest)!r}" if nearest else f"nothing near {name}"
    return Placement((), f"category not in the taxonomy: {kind}", notes, detail)
