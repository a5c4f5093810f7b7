"""MAVE: attribute values with their places in the product's text, and attributes that the text does not state.

URL, licence and files are below. Raw format: one JSON object a line with ``id, category, paragraphs[{text, source}]`` and
``attributes[{key, evidences[{value, pid, begin, end}]}]``; offsets count characters. Negatives have ``evidences: []``.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from converters.grouped import grouped
from converters.outcome import Outcome, digest, is_asin, product_group
from converters.raw import decoded, unpacked_size
from converters.records import Attributes, Text
from converters.untrusted import one_line

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


class Stated(msgspec.Struct, frozen=True, array_like=True):
    """One record as it waits for the others of its product; an attribute with a span that does not hold has no values."""

    where: str
    id: str
    group: str
    texts: list[tuple[str, str]]
    values: list[tuple[str, list[str] | None]]


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a product: its records, in whichever files they are, are merged where their texts are the same.

    Values of one attribute are united. An attribute that one record states and another does not is stated, which is noted. An
    evidence whose span does not hold is noted and costs its attribute. Products come in the order of a hash, not of the files.
    """
    decode = msgspec.msgpack.Decoder(Stated).decode
    for found in grouped(_records(paths), unpacked_size(paths)):
        if isinstance(found, Outcome):
            yield found
        else:
            yield from _outcomes([decode(record) for record in found])


def _records(paths: Sequence[Path]) -> Iterator[tuple[bytes, bytes] | Outcome]:
    encode = msgspec.msgpack.Encoder().encode
    for where, product in decoded(paths, Product):
        if isinstance(product, Outcome):
            yield product
            continue
        texts = [text for paragraph in product.paragraphs for text in _texts(paragraph)]
        if not texts:
            yield Outcome(where, reason="no text")
            continue
        values = [(_name(a.key), _values(a, product.paragraphs)) for a in product.attributes]
        # Derived sets number their records: where the id is no ASIN, only its text tells one product from another.
        name = product.id if is_asin(product.id) else "text"
        key = f"{name}:{digest(texts)}"
        yield key.encode(), encode(Stated(where, key, product_group(product.id, texts[0][1]), texts, values))


def _outcomes(records: Sequence[Stated]) -> Iterator[Outcome]:
    """Yield the merged product, or for each of its records why there is none."""
    first = records[0]
    values, notes = _united(records)
    if values:
        texts = tuple(Text(label, text) for label, text in first.texts)
        merged = Attributes(first.id, first.group, texts, tuple(values.items()))
        yield Outcome(first.where, (merged,), notes=notes, rows=len(records))
        return
    reason = "no attribute whose spans hold" if any(record.values for record in records) else "no attribute"
    for number, record in enumerate(records):
        yield Outcome(record.where, reason=reason, notes=() if number else notes)


def _united(records: Sequence[Stated]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the attributes of all records with their values, and a note for each that was left out or contradicted."""
    found: dict[str, list[str] | None] = {}
    notes = []
    for record in records:
        for name, values in record.values:
            known = found.setdefault(name, values)
            if known is None or values is None:
                found[name] = None
            elif known is not values:
                if bool(known) != bool(values):
                    notes.append("attribute stated in one record and not stated in another: its values are kept")
                found[name] = _distinct(known + values)
    kept = {name: tuple(values) for name, values in found.items() if name and values is not None}
    notes += ["attribute left out: a span does not hold"] * sum(values is None for values in found.values())
    notes += ["attribute left out: it has no name"] * (found.get("") is not None)
    return kept, tuple(notes)


def _distinct(values: Sequence[str]) -> list[str]:
    """Return the values without those that differ from an earlier one in upper and lower case alone."""
    return (
        list({value.casefold(): value for value in reversed(values)}.values())[::-1]
        if len(values) > 1
        else list(values)
    )


@lru_cache(1 << 16)
def _name(key: str) -> str:
    return one_line(key)


def _texts(paragraph: Paragraph) -> Iterator[tuple[str, str]]:
    # Derived sets join the description to the title by a line break and call both "title".
    head, *rest = paragraph.text.split(" \n ") if paragraph.source == "title" else [paragraph.text]
    if head.strip():
        yield paragraph.source.capitalize(), head
    if " ".join(rest).strip():
        yield "Description", " ".join(rest)


def _values(attribute: Attribute, paragraphs: Sequence[Paragraph]) -> list[str] | None:
    if not all(holds(evidence, paragraphs) for evidence in attribute.evidences):
        return None
    return _distinct([evidence.value.strip() for evidence in attribute.evidences])


def holds(evidence: Evidence, paragraphs: Sequence[Paragraph]) -> bool:
    """Tell whether an evidence's value stands where it says."""
    if not (0 <= evidence.pid < len(paragraphs) and 0 <= evidence.begin < evidence.end and evidence.value.strip()):
        return False
    return paragraphs[evidence.pid].text[evidence.begin : evidence.end] == evidence.value
