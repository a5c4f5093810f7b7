"""A shop's own texts as snippets: the catalogue, read as converters read it but without labels, and customers' reviews.

Long texts are cut into passages of whole sentences as reviews are for training; a short one has the name of its column before it,
which is what says what "steel" or "2" is of. Prices and availability are snippets of a kind of their own, with the date that the
row or else the file bears: only these may be quoted for them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from converters import sources
from converters.core.errors import InputError
from converters.core.hashing import digest
from converters.core.unicode import all_composed
from converters.io.files import unpacked_size
from converters.io.tables import rows as table_rows
from converters.schema import Outcome, Text
from converters.sources.catalog import detect
from converters.sources.catalog.attributes import Known, attributes
from converters.sources.catalog.attributes.specs import parse_specs
from converters.sources.catalog.attributes.values import cell_text
from converters.sources.catalog.columns import Cells, Columns
from converters.sources.catalog.entry import Complete, complete, raw_rows
from converters.sources.catalog.products import Product, products, tied
from converters.text import clean
from converters.text.none import is_none
from converters.text.retrieval import passages
from converters.text.words import cuts
from eval.production.asking.snippets import TITLE, Snippet

CATALOG = "catalog"
SHORT = 8  # words up to which a cell is a value, shown with its column's name
OF_PRODUCT = ("product", "product_id", "asin", "parent_asin", "sku", "handle", "item_id")
OF_TEXT = ("text", "review", "review_text", "reviewText", "reviewBody", "body", "content", "comment")
OF_ID = ("id", "review_id", "reviewId")
_SPACED = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+")
_PRICE = re.compile(r"\b(?:price|preis|verkaufspreis|prix|precio|prezzo|preço|prijs|cena)\b|价格|售价|価格")
_NO_PRICE = re.compile(r"\b(?:compare|cost|purchase|wholesale|list|msrp|old|original|range|tax|unit|rule|type|id)\b")
_THERE = re.compile(
    r"\b(?:availability|available|stock|inventory qty|inventory quantity|quantity|verfügbarkeit|lagerbestand|disponibilité|"
    r"disponibilidad|disponibilità)\b|库存|在庫"
)
_NOT_THERE = re.compile(r"\b(?:backorders?|low|minimum|min|max|manage|status change|date)\b")
_DAY = re.compile(
    r"\b(?:updated|modified|last (?:update|modified|change)|updated at|date modified|price date|timestamp)\b"
)
_OBJECTS = re.compile(r"\s*(?:\{|\[\s*\{)")
_ADDRESS = re.compile(r"(?:https?:)?//\S+|\S+\.(?:jpe?g|png|gif|webp|svg)", re.IGNORECASE)


def options(given: Sequence[str]) -> dict[str, Any]:
    """Return the options of source ``catalog`` that ``KEY=VALUE`` texts of a command line name."""
    return sources.given(CATALOG, given)


@dataclass(frozen=True, slots=True)
class Listed:
    """A product of the catalogue: what it is known by, first its id, then those of the rows merged into it, and its texts.

    One without an id is known by the digest of what it says.
    """

    ids: tuple[str, ...]
    title: str
    texts: Mapping[str, str]
    product: Product


def read(catalog: Path, reviews: Path | None, options: Mapping[str, Any]) -> Iterator[Snippet | Outcome]:
    """Yield the snippets of a catalogue, then of reviews; a row that has none is an outcome with its reason.

    ``options`` are those of source ``catalog``. A catalogue without a column for id or title, or reviews without one for product
    or text, is an ``InputError``.
    """
    entry = complete([catalog], _given(options))
    day = datetime.fromtimestamp(catalog.stat().st_mtime, UTC).date().isoformat()
    known = Known.of(entry.columns, entry.survey.forms)
    for one in _listed(entry):
        yield from [one] if isinstance(one, Outcome) else _of_product(one, entry, known, day)
    if reviews:
        yield from of_reviews(reviews)


def listed(catalog: Path, options: Mapping[str, Any]) -> Iterator[Listed]:
    """Yield the products that :func:`read` has snippets of; what is none is counted there."""
    return (one for one in _listed(complete([catalog], _given(options))) if isinstance(one, Listed))


def _listed(entry: Complete) -> Iterator[Listed | Outcome]:
    columns = entry.columns
    rows = tied(raw_rows(entry.paths, columns), columns, entry.survey.parents)
    for product in products(rows, columns, entry.survey.scattered, unpacked_size(entry.paths)):
        yield product if isinstance(product, Outcome) else _known(product, columns)


def _known(product: Product, columns: Columns) -> Listed | Outcome:
    cells = product.cells
    title = clean(cell_text(cells[columns.title]))
    if not title:
        return Outcome(product.where, reason="product without a title", rows=product.rows)
    texts = {label: clean(cell_text(cells[column])) for label, column in columns.texts.items()}
    identifier = cells[columns.id].strip() or digest(title, texts)
    merged = (row[columns.id].strip() for row in product.parts)
    return Listed((identifier, *(each for each in merged if each)), title, texts, product)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with none for labels: what a product's category is, nobody asks here."""
    sources.check(CATALOG, options)
    files = sources.get(CATALOG).FILE_OPTIONS
    named = sources.resolved(CATALOG, options)
    return {"category": None} | {
        key: v if key in files else all_composed(v) for key, v in named.items() if key != "mapping"
    }


def _of_product(one: Listed, entry: Complete, known: Known, day: str) -> Iterator[Snippet]:
    product, columns, cells = one.product, entry.columns, one.product.cells
    identifier, title, texts = one.ids[0], one.title, one.texts
    yield Snippet(identifier, title, "catalogue", TITLE)
    shown = [Text("Title", title), *(Text(label, text) for label, text in texts.items() if text)]
    stated = attributes(product, replace(columns, implicit=True), shown, known).values
    values = {name: ", ".join(map(clean, found)) for name, found in stated.items()}
    offers = _offers(product)
    others = {} if columns.preset != detect.NONE else _others(cells, columns, [*offers, *columns.attributes])
    for name, text in {**texts, **values, **others}.items():
        if text and name not in offers:
            yield from (Snippet(identifier, piece, "catalogue", name) for piece in _pieces(name, text))
    date = next((cells[name].strip()[:10] for name in cells if cells[name] and _DAY.search(words_of(name))), day)
    for name, text in offers.items():
        yield Snippet(identifier, f"{_spoken(name)}: {text}", "offer", name, date)


def _others(cells: Cells, columns: Columns, known: Sequence[str]) -> dict[str, str]:
    """Return the cells of a plain table that no option names, one of many attributes taken apart, but for what says nothing."""
    named = {columns.id, columns.title, columns.group, *columns.visible, *columns.status, *columns.published, *known}
    found = dict[str, str]()
    for name, cell in cells.items():
        if name not in named and not _is_beside(name):
            specs = parse_specs(cell) if _OBJECTS.match(cell) else {}
            found |= {key: ", ".join(map(clean, values)) for key, values in specs.items()} or {
                name: clean(cell_text(cell))
            }
    return {name: text for name, text in found.items() if not _says_nothing(text)}


def _says_nothing(text: str) -> bool:
    """Tell whether a text is a word for nothing, or addresses of pictures or pages alone."""
    return is_none(text) or all(map(_ADDRESS.fullmatch, text.split()))


def _pieces(name: str, text: str) -> list[str]:
    """Return a text in passages, a short one as one with its name.

    >>> _pieces("bullet_1", "Steel"), _pieces("Description", "It is made of steel, and it holds 1.5 litres. Red.")
    (['bullet 1: Steel'], ['It is made of steel, and it holds 1.5 litres. Red.'])
    """
    return [f"{_spoken(name)}: {text}"] if sum(1 for _ in cuts(text)) <= SHORT else [*passages(text)]


def _offers(product: Product) -> dict[str, str]:
    """Return the columns that state a price or whether the product is to be had, each with its distinct values."""
    found = dict[str, str]()
    for name in product.cells:
        if _is_offer(name):
            cells = (clean(row[name]) for row in product.all_cells if name in row)
            found[name] = ", ".join(dict.fromkeys(cell for cell in cells if cell and not _ADDRESS.fullmatch(cell)))
    currency = next((clean(cell) for name, cell in product.cells.items() if words_of(name).strip() == "currency"), "")
    return {
        name: f"{text} {currency}".strip() if _PRICE.search(words_of(name)) else text
        for name, text in found.items()
        if text
    }


def _is_offer(name: str) -> bool:
    """Tell by its name whether a column states what the shop asks for a product, or whether it has some.

    >>> [_is_offer(name) for name in ("Variant Price", "sale_price", "Cost per item", "In stock?", "Stocking", "isInStock")]
    [True, True, False, True, False, True]
    """
    words = words_of(name)
    price = _PRICE.search(words) and not _NO_PRICE.search(words)
    return bool(price or (_THERE.search(words) and not _NOT_THERE.search(words)))


def _is_beside(name: str) -> bool:
    """Tell whether a column only says of what a price is: its currency and its day."""
    return words_of(name).strip() == "currency" or bool(_DAY.search(words_of(name)))


def words_of(name: str) -> str:
    """Return the words of a column's name, in lower case and with blanks between them.

    >>> words_of("accessoryOf"), words_of("Model_No.")
    ('accessory of', 'model no ')
    """
    return _SPACED.sub(" ", name).casefold()


def _spoken(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def of_reviews(path: Path) -> Iterator[Snippet | Outcome]:
    """Yield the passages of each review; a file of any kind that tables come in is read.

    One without a column for product or text is an ``InputError``.
    """
    columns: tuple[str, str] | None = None
    for where, row in table_rows(path, ()):
        if isinstance(row, Outcome):
            yield row
            continue
        columns = columns or _review_columns(path, row)
        product, text = row[columns[0]].strip(), clean(row[columns[1]])
        if not (product and text):
            yield Outcome(where, reason=f"review without a {'text' if product else 'product'}")
            continue
        name = next((row[key].strip() for key in OF_ID if key != columns[0] and row.get(key, "").strip()), "")
        source = name or where.rpartition("/")[2]
        yield from (Snippet(product, passage, "review", source) for passage in passages(text))


def _review_columns(path: Path, row: Mapping[str, str]) -> tuple[str, str]:
    product, text = (next((key for key in keys if key in row), "") for keys in (OF_PRODUCT, OF_TEXT))
    if not (product and text):
        lacking = [
            f"{what} ({', '.join(keys)})"
            for what, keys, got in (("product", OF_PRODUCT, product), ("text", OF_TEXT, text))
            if not got
        ]
        raise InputError(
            f"{path}: found no column of the {' nor of the '.join(lacking)}; its columns: {', '.join(row)[:300]}"
        )
    return product, text
