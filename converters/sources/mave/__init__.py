"""MAVE: attribute values with their places in the product's text, and attributes that the text does not state.

Raw format: one JSON object a line with ``id, category, paragraphs[{text, source}]`` and
``attributes[{key, evidences[{value, pid, begin, end}]}]``; offsets count characters. Negatives have ``evidences: []``.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import cast

import msgspec

from converters.core.unicode import composed
from converters.io import decoded, unpacked_size
from converters.io.grouping import Gathering, gathered
from converters.io.pieces import Source
from converters.schema import Attributes, Outcome, Text
from converters.text.matching import is_asin, product_group
from converters.text.sanitize import one_line

URL = "https://github.com/google-research-datasets/MAVE"
LICENCE = "CC BY-NC 4.0 (labels; not for commercial use); product text: Amazon Review Data 2018, research use"
FILES = "mave_positives.jsonl, mave_negatives.jsonl (after joining with the product text)"
TASKS = ("attributes",)
_NO_ASIN, _JOINED = "text", " \n "
_name = lru_cache(1 << 14)(one_line)


class _Labels(dict[str, str]):
    """The label of each source; that of one which is none of MAVE's is not kept."""

    def __missing__(self, source: str) -> str:
        return source.capitalize()


_LABELS = _Labels({source: source.capitalize() for source in ("title", "description", "feature", "price", "brand")})


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One place where a value stands: paragraph number and character offsets."""

    value: str
    pid: int
    begin: int
    end: int


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """One attribute and its evidences, none of them when the text does not state it."""

    key: str
    evidences: list[Evidence]


class Paragraph(msgspec.Struct, frozen=True, gc=False):
    """One piece of product text; ``source`` is title, description, feature, price or brand."""

    text: str
    source: str


class Product(msgspec.Struct, frozen=True, gc=False):
    """One MAVE record."""

    id: str
    paragraphs: list[Paragraph]
    attributes: list[Attribute]


RAW = Product


class Stated(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record; ``id`` is of its product and text; an attribute with a span that does not hold has ``None`` for values."""

    where: str
    id: str
    texts: tuple[Text, ...]
    values: list[tuple[str, tuple[str, ...] | None]]


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a product: its records, in whichever files they are, are merged where their texts are the same.

    Values of one attribute are united. An attribute that one record states and another does not is stated, which is noted. An
    evidence whose span does not hold is noted and costs its attribute. Products come in the order of a hash, not of the files.
    """
    yield from gathered(gathering(), paths, unpacked_size(paths))


def gathering() -> Gathering:
    """Return how records are brought together: by their product and its text."""
    decode = msgspec.msgpack.Decoder(Stated).decode
    return Gathering(_by_product, lambda values: _merged([*map(decode, values)]))


def _by_product(sources: Sequence[Source]) -> Iterator[tuple[bytes, bytes] | Outcome]:
    encode = msgspec.msgpack.Encoder().encode
    for where, product in decoded(sources, Product):
        if isinstance(product, Outcome):
            yield product
        elif texts := _texts(paragraphs := product.paragraphs):
            name = _identified(product.id, texts)
            values = [(_name(each.key), spanned(each.evidences, paragraphs)) for each in product.attributes]
            yield name.encode(), encode((where, name, texts, values))  # a Stated, without the cost of making one
        else:
            yield Outcome(where, reason="no text")


def _texts(paragraphs: Sequence[Paragraph]) -> list[tuple[str, str]]:
    """Return label and text of the paragraphs that are not blank."""
    texts = [(_LABELS[part.source], text) for part in paragraphs if (text := part.text) and not text.isspace()]
    if _JOINED in "\0".join([text for label, text in texts if label == "Title"]):
        texts = [part for label, text in texts for part in _parted(label, text) if part[1].strip()]
    return texts


def _parted(label: str, text: str) -> tuple[tuple[str, str], ...]:
    """Return a title and the description that derived sets join to it by a line break, any other text as it is."""
    if label != "Title" or _JOINED not in text:
        return ((label, text),)
    title, _, rest = text.partition(_JOINED)
    return (label, title), ("Description", rest.replace(_JOINED, " "))


def _identified(identifier: str, texts: Sequence[tuple[str, str]]) -> str:
    """Return an id of a product and its text."""
    # Derived sets number their records: where the id is no ASIN, only its text tells one product from another.
    name = identifier if is_asin(identifier) else _NO_ASIN
    joined = "\0".join(chain.from_iterable(texts)).encode(errors="replace")
    return f"{name}:{blake2b(joined, digest_size=8).hexdigest()}"


def spanned(evidences: Sequence[Evidence], paragraphs: Sequence[Paragraph]) -> tuple[str, ...] | None:
    """Return the distinct values, or ``None`` when one of them does not stand at its offsets."""
    if not evidences:
        return ()
    values, number = [], len(paragraphs)
    for evidence in evidences:
        value, pid, begin, end = evidence.value, evidence.pid, evidence.begin, evidence.end
        if not (0 <= pid < number and 0 <= begin < end and paragraphs[pid].text[begin:end] == value):
            return None
        values.append(value.strip())
    if values[0] and values.count(values[0]) == len(values):  # as nearly all are
        return (values[0],)
    return None if "" in values else _distinct(tuple(values))


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values without those that differ from an earlier one in case, or in how Unicode spells it, alone."""
    if len(set(values)) < 2:
        return values[:1]
    return tuple({composed(value).casefold(): value for value in reversed(values)}.values())[::-1]


def _merged(records: Sequence[Stated]) -> Iterable[Outcome]:
    """Return the merged product, or for each of its records why there is none."""
    first = records[0]
    values, notes = _united(records)
    if values:
        asin = first.id.partition(":")[0]
        group = product_group(first.id, first.texts[0].text) if asin == _NO_ASIN else f"asin:{asin}"
        merged = Attributes(first.id, group, first.texts, tuple(values.items()))
        return (Outcome(first.where, (merged,), notes=notes, rows=len(records)),)
    reason = "no attribute whose spans hold" if any(record.values for record in records) else "no attribute"
    return [
        Outcome(record.where, reason=reason, notes=() if number else notes) for number, record in enumerate(records)
    ]


def _united(records: Sequence[Stated]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the attributes of all records with their values, and a note for each that was left out or contradicted."""
    if len(records) == 1:  # as nearly all are, and most of these state what they name
        alone = dict(records[0].values)
        if len(alone) == len(records[0].values) and "" not in alone and None not in alone.values():
            return cast("dict[str, tuple[str, ...]]", alone), ()
    united: dict[str, tuple[str, ...] | None] = {}
    notes = []
    for record in records:
        for name, values in record.values:
            if name not in united:
                united[name] = values
                continue
            known = united[name]
            united[name] = None if known is None or values is None else _distinct(known + values)
            if known is not None and values is not None and bool(known) != bool(values):
                notes.append("attribute stated in one record and not stated in another: its values are kept")
    usable = {name: values for name, values in united.items() if name and values is not None}
    unusable = [name for name in united if name not in usable]
    notes += [f"attribute left out: {'a span does not hold' if name else 'it has no name'}" for name in unusable]
    return usable, tuple(notes)
