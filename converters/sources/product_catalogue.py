"""Shopify's product catalogue: products of many shops with their path in Shopify's taxonomy, candidate paths, and brand.

Raw format: rows (Parquet, JSON lines, the hub's dataset) with ``product_title``, ``product_description``,
``potential_product_categories`` (a list of paths), ``ground_truth_category`` (``A > B``), ``ground_truth_brand`` and
``ground_truth_is_secondhand``; ``title`` and ``description`` are read, too, and images are not. MLPerf Inference v6 classifies
these products (mlcommons/inference, ``multimodal/qwen3-vl``): with title, description, image and the candidates in the prompt.

Asked as attributes are the brand and, as ``Secondhand``, the words that say that a product is not new: both must stand in the
text. A product that is secondhand though its text does not say so, or whose text says so though it is not, is not asked that.
The split is official where the file's name, or the hub's split, begins with it.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from converters.core.hashing import digest
from converters.io.pieces import Source
from converters.io.rows import decoded
from converters.schema import Attributes, Listing, Outcome, Record, Text
from converters.sources.shopify_taxonomy import nodes_of
from converters.tasks import category
from converters.text.html import MARKUP, has_markup, untagged
from converters.text.matching import product_group
from converters.text.sanitize import one_line
from converters.text.words import stands

URL = "https://huggingface.co/datasets/Shopify/product-catalogue"
LICENCE = "Apache-2.0"
FILES = "hub:Shopify/product-catalogue, or its *.parquet, or *.jsonl"
TASKS = ("category", "category_shortlist", "attributes")
BRAND, SECONDHAND = "Brand", "Secondhand"
DEFINITIONS = ((SECONDHAND, "the words that say the product is not new."),)
_WORDS = "second[\\s-]?hand|pre[\\s-]?(?:owned|loved)|previously (?:owned|used)|(?:gently|lightly) used|used condition|thrifted"
_SAID = re.compile(rf"\b(?:{_WORDS})\b", re.IGNORECASE)
_SPLIT = re.compile(r"(train|validation|test)(?![a-zA-Z])")


class Raw(msgspec.Struct):
    """A row; of a title or description under two names the dataset's own counts."""

    ground_truth_category: str | None
    product_title: str | None = None
    title: str | None = None
    product_description: str | None = None
    description: str | None = None
    potential_product_categories: list[str] | str | None = None
    ground_truth_brand: str | None = None
    ground_truth_is_secondhand: bool | str | None = None


RAW = Raw


def read(paths: Sequence[Source]) -> Iterator[Outcome]:
    """Yield one outcome a product."""
    for where, raw in decoded(paths, Raw):
        yield raw if isinstance(raw, Outcome) else _outcome(where, raw)


def _outcome(where: str, raw: Raw) -> Outcome:
    title, description = raw.product_title or raw.title or "", raw.product_description or raw.description or ""
    texts = tuple(
        Text(label, text)
        for label, html in (("Title", title), ("Description", description))
        if (text := one_line(untagged(html)))
    )
    if not texts or texts[0].label != "Title":
        return Outcome(where, reason="no title")
    records, notes = list[Record](), (MARKUP,) * (has_markup(title) or has_markup(description))
    path = nodes_of(untagged(raw.ground_truth_category or ""))
    candidates, unread = _candidates(raw.potential_product_categories)
    identifier, group = digest(texts, path, candidates), product_group("", texts[0].text)
    if path:
        records.append(Listing(identifier, group, texts, path, candidates=candidates))
        notes += ("candidate left out: no path",) * unread + ("right path is no candidate",) * (
            category.render(path) not in candidates
        )
    values, left_out = _attributes(raw, " ".join(text.text for text in texts))
    if any(values.values()):
        definitions = DEFINITIONS if SECONDHAND in values else ()
        records.append(Attributes(identifier, group, texts, tuple(values.items()), definitions=definitions))
    notes += left_out + ("no category path",) * (bool(records) and not path)
    return Outcome(where, tuple(records), "" if records else "no category", notes, _split(where))


def _candidates(cell: list[str] | str | None) -> tuple[tuple[str, ...], int]:
    """Return the paths of a cell, a list or its JSON, each once, and how many texts in it are no path."""
    if isinstance(cell, str):
        try:
            cell = msgspec.json.decode(cell, type=list[str])
        except (msgspec.DecodeError, UnicodeError):
            return (), 1
    paths = [nodes_of(untagged(text)) for text in cell or ()]
    return tuple(dict.fromkeys(category.render(path) for path in paths if path)), paths.count(())


def _attributes(raw: Raw, text: str) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    notes: tuple[str, ...] = ()
    if brand := one_line(untagged(raw.ground_truth_brand or "")):
        found = (match for match in re.finditer(re.escape(brand), text, re.IGNORECASE) if stands(text, *match.span()))
        if match := next(found, None):
            values[BRAND] = (match[0],)
        else:
            notes += (f"attribute {BRAND!r} left out: its value is not in the text",)
    said, secondhand = _SAID.search(text), str(raw.ground_truth_is_secondhand).lower()
    if secondhand in ("true", "false") and (secondhand == "true") == bool(said):
        values[SECONDHAND] = (said[0],) if said else ()
    elif secondhand in ("true", "false"):
        notes += (f"attribute {SECONDHAND!r} left out: the text {'says' if said else 'does not say'} so",)
    return values, notes


def _split(where: str) -> str:
    """Return the official split of a row, known by its file's name or the hub's split.

    >>> _split("data/test-00000-of-00002.parquet:#1"), _split("hub:owner/name/train:#7"), _split("trainers.jsonl:3")
    ('test', 'train', '')
    """
    match = _SPLIT.match(Path(where.rpartition(":")[0]).name)
    return match[1] if match else ""
