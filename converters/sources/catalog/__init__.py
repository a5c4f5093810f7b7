"""Your own catalogue: the export of a shop's platform, or any table with a title, a category and, if you have them, attributes.

The exports of the platforms in :mod:`converters.sources.catalog.presets` are recognised by their columns and need no option. For
any other table, options name the columns, or a YAML file does (``mapping: shop.yaml``, the same keys). A category is one column
with separators (``A > B``, ``A / B``, ...), or several columns, broadest first; attributes come from columns of their own, from
numbered pairs of columns, and from columns of ``specs`` (JSON, a Ruby hash, ``key: value`` pieces). One that a row does not state
is not asked: a shop that left a field blank has not said that the text is silent. HTML is taken out of texts, categories and
values alike, so that a value still stands in its text.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from converters.core.hashing import digest
from converters.core.unicode import all_composed
from converters.io.files import unpacked_size
from converters.schema import Attributes, Listing, Outcome, Record, Text
from converters.sources.catalog import entry as entries
from converters.sources.catalog.attributes import Known, Stated
from converters.sources.catalog.attributes import attributes as stated_attributes
from converters.sources.catalog.attributes.values import cell_text
from converters.sources.catalog.columns import ORDER, PICKS, Cells, Columns
from converters.sources.catalog.entry import Complete, raw_rows
from converters.sources.catalog.products import Product, products, tied
from converters.sources.catalog.taxonomy import of_category
from converters.sources.google_taxonomy import Category
from converters.text.html import MARKUP, has_markup, untagged
from converters.text.matching import is_asin, product_group, title_group

URL = "your own export"
LICENCE = "yours"
FILES = "*.csv, *.tsv, *.txt, *.jsonl, *.json, *.parquet, *.xml"
TASKS = ("category", "attributes")
FILE_OPTIONS = ("mapping", "taxonomy", "previous", "schema", "categories")
# The options that shape labels alone, and those among them that a catalogue without labels has to say no to.
LABELS = (
    *("category", "separator", "several", "pick", "root", "ignore", "attributes", "values", "units", "pairs", "specs"),
    *("asked", "order", "implicit", "taxonomy", "remap", "previous", "schema", "categories", "tree"),
)
NO_LABELS: Mapping[str, Any] = {"category": None, "attributes": {}, "units": {}, "pairs": {}, "specs": []}


def read(
    paths: Sequence[Path],
    *,
    mapping: Annotated[str | None, "a YAML file with any of the other options; one given beside it wins"] = None,
    preset: Annotated[
        str | None, "the platform that wrote the file; null: recognised by its columns; none: no platform"
    ] = None,
    encoding: Annotated[str | None, "of a text file that is not UTF-8, such as cp1252; null: recognised"] = None,
    header: Annotated[
        str | Sequence[str] | None,
        "the names of all columns, in order, of a table whose first line is a row: sku,name,category",
    ] = None,
    id: Annotated[str, "the column of the product's id: SKU, ASIN, ..."] = "id",  # noqa: A002 - the option's name
    title: Annotated[str, "the column of its title"] = "title",
    category: Annotated[
        str | Sequence[str] | None,
        "the column of its category path, or a list of columns, broadest first; null for none",
    ] = "category",
    separator: Annotated[str | None, "the mark between the nodes of a path; null: as the column's cells show"] = None,
    several: Annotated[
        str | Sequence[str] | None, "the mark between several paths in one cell; null: as the column's cells show"
    ] = None,
    pick: Annotated[
        str, f"which of several categories counts: {', '.join(PICKS)}; of equally deep ones the first"
    ] = "deepest",
    root: Annotated[str, "cut: take off a first node that all paths share; keep"] = "keep",
    ignore: Annotated[Sequence[str], "categories that are none, such as collections: [Sale, New in]"] = (),
    texts: Annotated[Mapping[str, str] | None, "more texts, labels to columns: {Description: description}"] = None,
    attributes: Annotated[Mapping[str, str] | None, "attributes to ask for, names to columns: {Brand: brand}"] = None,
    values: Annotated[
        str | None, "the mark between several values in one cell of attributes; null: only a JSON list has several"
    ] = None,
    units: Annotated[
        Mapping[str, str] | None, "columns of units, by the attribute's name: {Capacity: capacity_unit}"
    ] = None,
    pairs: Annotated[
        Mapping[str, str] | None,
        "columns of attribute names to those of their values: {Attribute 1 name: Attribute 1 value(s)}",
    ] = None,
    specs: Annotated[
        str | Sequence[str] | None,
        "columns of many attributes: JSON, a Ruby hash, key: value, a=b, Name:Value:Position",
    ] = None,
    asked: Annotated[Sequence[str], "the names in specs to ask for; all of them where none is named"] = (),
    order: Annotated[Sequence[str], "which counts where columns and specs differ on an attribute: the first"] = ORDER,
    implicit: Annotated[bool, "keep an attribute whose value is not in the texts, marked as implicit"] = False,
    group: Annotated[
        str | None, "the column of the parent or item group, the same in all variants of a product"
    ] = None,
    variants: Annotated[
        int | None, "the most rows that a product keeps, the others are merged into it; null: all stay rows"
    ] = None,
    status: Annotated[
        Mapping[str, str | Sequence[str]] | None, "columns and their words for what is not published: {Status: [draft]}"
    ] = None,
    published: Annotated[
        Mapping[str, str | Sequence[str]] | None,
        "columns and their words for what is published, any other is not: {Status: [live]}",
    ] = None,
    unpublished: Annotated[str, "keep or drop products that are not published; they are counted either way"] = "keep",
    taxonomy: Annotated[
        str | None, "a file in Google's or Shopify's format; a category that is no path or id of it is left out"
    ] = None,
    remap: Annotated[
        bool,
        "move a category to its only possible place in the taxonomy: one of its last name, a node above it agreeing",
    ] = False,
    previous: Annotated[
        str | None,
        "the release that the categories are from, which move by id to 'taxonomy', or Shopify's mapping to it",
    ] = None,
    schema: Annotated[
        str | Sequence[str] | None,
        "Shopify's taxonomy.json, or [categories.json, attributes.json]: ask for the attributes of the own category",
    ] = None,
    categories: Annotated[str | None, "a file of category codes with parents and labels (Akeneo)"] = None,
    tree: Annotated[
        str | None, "the code of the tree in it to take categories from; null: the one of most products"
    ] = None,
    locale: Annotated[
        str | None, "of texts and labels that the file has in several, such as en_US; null: the first"
    ] = None,
) -> Iterator[Outcome]:
    """Yield one outcome a product; what is left out of a used one is noted. :func:`converters.sources.read` reads ``mapping``."""
    given = {name: value for name, value in locals().items() if name not in ("paths", "mapping")}
    return _read(paths, given)


_DEFAULTS: Mapping[str, Any] = read.__kwdefaults__ or {}


def complete(paths: Sequence[Path], options: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the options with those that the files decide, and what was seen of the files, a sentence each."""
    entry = look(paths, options)
    return entry.options, entry.lines


def look(paths: Sequence[Path], options: Mapping[str, Any]) -> Complete:
    """Look at the files of an entry and return its options in full, with what they mean."""
    # What is left at its default is no answer of the user: a preset may have a better one.
    given = {name: value for name, value in options.items() if name != "mapping" and value != _DEFAULTS[name]}
    # Names of columns are composed, as the columns are; names of files stay.
    names = {name: value if name in FILE_OPTIONS else all_composed(value) for name, value in given.items()}
    return entries.complete(paths, names)


def without_labels(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that hold for a catalogue without labels, too; ``mapping`` is resolved before."""
    return {**{name: value for name, value in options.items() if name not in LABELS}, **NO_LABELS}


def unlabelled(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[tuple[Outcome, tuple[str, ...]]]:
    """Yield each product as a listing without a path, or the reason why it is none, with the places of all its raw rows.

    ``options`` are as :func:`without_labels` returns them. Id, group and texts are the very ones of :func:`read`.
    """
    entry = look(paths, options)
    for product in _products(entry):
        if isinstance(product, Outcome):
            yield product, (product.where,)
            continue
        shown = _shown(product, entry.columns)
        if not isinstance(shown, Outcome):
            shown = Outcome(product.where, (Listing(*shown, path=()),), rows=product.rows)
        yield shown, (product.where, *product.merged)


def _read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[Outcome]:
    entry = look(paths, options)
    known = Known.of(entry.columns, entry.survey.forms)
    for product in _products(entry):
        yield product if isinstance(product, Outcome) else _outcome(product, entry, known)


def _products(entry: Complete) -> Iterator[Product | Outcome]:
    rows = tied(raw_rows(entry.paths, entry.columns), entry.columns, entry.survey.parents)
    return products(rows, entry.columns, entry.survey.scattered, unpacked_size(entry.paths))


class _Shown(NamedTuple):
    id: str
    group: str
    texts: tuple[Text, ...]


def _shown(product: Product, columns: Columns) -> _Shown | Outcome:
    """Return what a model is shown of a product, or the reason why that is nothing."""
    cells = product.cells
    title = untagged(cell_text(cells[columns.title]))
    if not title.strip():
        return Outcome(product.where, reason="no title", rows=product.rows)
    if columns.unpublished == "drop" and (status := _status(cells, columns)):
        return Outcome(product.where, reason=status[0], rows=product.rows)
    others = ((label, untagged(cell_text(cells[column]))) for label, column in columns.texts.items())
    texts = (Text("Title", title), *(Text(label, text) for label, text in others if text.strip()))
    return _Shown(cells[columns.id].strip() or digest(texts), _group(product, title, columns), texts)


def _outcome(product: Product, entry: Complete, known: Known) -> Outcome:
    columns, cells = entry.columns, product.cells
    shown = _shown(product, columns)
    if isinstance(shown, Outcome):
        return shown
    identifier, group, texts = shown
    notes = product.notes + _status(cells, columns)
    records: list[Record] = []
    placed = entry.labels.place(cells, texts[0].text)
    if placed.path:
        release, children = (entry.tree.release, entry.tree.children(placed.path)) if entry.tree else ("", ())
        records.append(Listing(identifier, group, texts, placed.path, release, children))
    stated = _stated(product, entry, texts, placed.path, known)
    notes += placed.notes + stated.notes
    if stated.values:
        records.append(Attributes(identifier, group, texts, tuple(stated.values.items()), stated.implicit))
        notes += (f"no category path: {placed.reason}",) * bool(placed.reason)
    notes += (MARKUP,) * any(has_markup(cells[column]) for column in columns.visible)
    reason = "" if records else placed.reason or "no attribute to ask for"
    return Outcome(product.where, tuple(records), reason, notes, rows=product.rows, detail=placed.detail)


def _stated(product: Product, entry: Complete, texts: Sequence[Text], path: Category, known: Known) -> Stated:
    """Return the attributes that a product states; with a schema, those of its category."""
    stated = stated_attributes(product, entry.columns, texts, known)
    if not (entry.schema and entry.tree):
        return stated
    wanted = entry.schema.attributes.get(entry.tree.ids.get(path, ""), ())
    return of_category(stated, entry.columns, texts, wanted)


def _group(product: Product, title: str, columns: Columns) -> str:
    if not product.key:
        return product_group(product.cells[columns.id], title)
    if is_asin(product.key):
        return f"asin:{product.key}"
    # Shops number their products alike: a number is known by what it is the number of, too.
    named = (
        (product.key, title_group(untagged(cell_text(product.family)))) if product.key.isdecimal() else (product.key,)
    )
    return f"item:{digest(*named)}"


def _status(cells: Cells, columns: Columns) -> tuple[str, ...]:
    """Return a note for a product that is not published, with the platform's word for it."""
    for column, words in columns.status.items():
        if (word := cells[column].strip()) and _is_among(word, words):
            return (f"not published: {column} is {word[:40]!r}",)
    for column, words in columns.published.items():
        if not _is_among(word := cells[column].strip(), words):
            return (f"not published: {column} is {word[:40]!r}",)
    return ()


def _is_among(word: str, words: Sequence[str]) -> bool:
    return word.casefold() in {each.casefold() for each in words}
