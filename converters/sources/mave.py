"""MAVE: attribute values with their places in the product's text, and attributes that the text does not state.

URL, licence and files are below. Raw format: one JSON object a line with ``id, category, paragraphs[{text, source}]`` and
``attributes[{key, evidences[{value, pid, begin, end}]}]``; offsets count characters. Negatives have ``evidences: []``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from converters.outcome import Outcome, digest, product_group
from converters.raw import decoded
from converters.records import Attributes, Text

URL = "https://github.com/google-research-datasets/MAVE"
LICENCE = "CC BY-NC 4.0 (labels; not for commercial use); product text: Amazon Review Data 2018, research use"
FILES = "mave_positives.jsonl, mave_negatives.jsonl (after joining with the product text)"
TASKS = ("attributes",)


class Evidence(msgspec.Struct, frozen=True):
    """One place where a value stands: paragraph number and character offsets."""

    value: str
    pid: int
    begin: int
    end: int


class Attribute(msgspec.Struct, frozen=True):
    """One attribute and its evidences, none of them when the text does not state it."""

    key: str
    evidences: list[Evidence]


class Paragraph(msgspec.Struct, frozen=True):
    """One piece of product text; ``source`` is title, description, feature, price or brand."""

    text: str
    source: str


class Product(msgspec.Struct, frozen=True):
    """One MAVE record."""

    id: str
    paragraphs: list[Paragraph]
    attributes: list[Attribute]


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a line; an evidence whose span does not hold is noted, and its attribute left out."""
    for where, product in decoded(paths, Product):
        yield product if isinstance(product, Outcome) else _outcome(where, product)


def _outcome(where: str, product: Product) -> Outcome:
    texts = tuple(text for paragraph in product.paragraphs for text in _texts(paragraph))
    kept = [(a.key, _values(a, product.paragraphs)) for a in product.attributes]
    values = tuple((key, found) for key, found in kept if key.strip() and found is not None)
    notes = ("attribute left out: a span does not hold",) * (len(kept) - len(values))
    if not texts:
        return Outcome(where, reason="no text", notes=notes)
    if not values or len(dict(values)) != len(values):
        return Outcome(where, reason="attribute repeated" if values else "no attribute whose spans hold", notes=notes)
    identifier = f"{product.id}:{digest(texts, values)}"
    return Outcome(
        where, (Attributes(identifier, product_group(product.id, texts[0].text), texts, values),), notes=notes
    )


def _texts(paragraph: Paragraph) -> Iterator[Text]:
    # Derived sets join the description to the title by a line break and call both "title".
    head, *rest = paragraph.text.split(" \n ") if paragraph.source == "title" else [paragraph.text]
    if head.strip():
        yield Text(paragraph.source.capitalize(), head)
    if " ".join(rest).strip():
        yield Text("Description", " ".join(rest))


def _values(attribute: Attribute, paragraphs: Sequence[Paragraph]) -> tuple[str, ...] | None:
    if not all(holds(evidence, paragraphs) for evidence in attribute.evidences):
        return None
    first = {evidence.value.strip().casefold(): evidence.value.strip() for evidence in reversed(attribute.evidences)}
    return tuple(dict.fromkeys(first[e.value.strip().casefold()] for e in attribute.evidences))


def holds(evidence: Evidence, paragraphs: Sequence[Paragraph]) -> bool:
    """Tell whether an evidence's value stands where it says."""
    if not (0 <= evidence.pid < len(paragraphs) and 0 <= evidence.begin < evidence.end and evidence.value.strip()):
        return False
    return paragraphs[evidence.pid].text[evidence.begin : evidence.end] == evidence.value
