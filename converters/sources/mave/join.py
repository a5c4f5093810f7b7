"""Join MAVE's labels with the product text of Amazon Review Data 2018, so that every paragraph number and offset holds.

Labels: https://github.com/google-research-datasets/MAVE (``mave_positives_labels.jsonl``, ``mave_negatives_labels.jsonl``).
Metadata: https://nijianmo.github.io/amazon/ (``All_Amazon_Meta.json.gz``), one JSON object a line.

Labels, and the products that have one, are brought together by ASIN on disk: of every label only 8 bytes stay in memory.
"""

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, compress, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from converters.core.console import in_processes
from converters.core.garbage import seldom_collected
from converters.io.grouping import grouped
from converters.io.jsonl import replacing, sha256
from converters.io.rows import json_texts, literal
from converters.sources.mave import Attribute, Paragraph, spanned
from converters.text.html import clean_mave_texts

STEP = 4096  # lines between two calls of ``tick``
LOOKED_UP = 256  # products whose ASINs are looked up among those of the labels together
GROUPS = 256  # ASINs that one worker joins at a time
TOGETHER = 128  # ASINs whose products' texts are cleaned together: few enough for the processor's cache
LONGER = 10  # times what labels take, roughly, they and their products do
LABEL = b"L"  # before a line of labels; a product's line begins with a bracket or white space
UNSPANNED = "a span does not hold"
NO_LABEL, NO_PRODUCT = "not a label of MAVE", "not a product of the metadata"
TITLE = "title"
SOURCES = (TITLE, "description", "feature", "price", "brand")
Texts = tuple[str | list[str] | None, ...]  # of a product, one for each of SOURCES
Usual = msgspec.defstruct("Usual", [(source, str | list[str] | None, None) for source in SOURCES])
Other = msgspec.defstruct("Other", [(source, Any, None) for source in SOURCES])


class ProductKey(msgspec.Struct, frozen=True):
    """As much of a product as tells whether it has a label."""

    asin: str = ""


class LabelKey(msgspec.Struct, frozen=True, rename={"asin": "id"}):
    """As much of a label as tells its product."""

    asin: str = ""


class Label(msgspec.Struct, frozen=True):
    """One line of labels."""

    id: str
    category: str
    attributes: list[Attribute]


class Joined(msgspec.Struct, frozen=True):
    """One record, as :mod:`converters.sources.mave` reads it."""

    id: str
    category: str
    paragraphs: list[Paragraph]
    attributes: list[Attribute]


_encode = msgspec.json.Encoder().encode_lines
_usual, _other = msgspec.json.Decoder(Usual).decode, msgspec.json.Decoder(Other).decode
_label = msgspec.json.Decoder(Label).decode
Counts = dict[str, Counter[str]]  # "labels" and "metadata": read, used, or the reason why not


def join(
    labels: Sequence[Path], metadata: Sequence[Path], out: Path, workers: int, tick: Callable[[int], object]
) -> Counts:
    """Write the joined records to ``out``; return what became of every label and every product.

    Products come in the order of a hash of their ASINs, whatever the files and however many workers clean their texts.
    """
    counts: Counts = {"labels": Counter(), "metadata": Counter()}
    size = LONGER * sum(path.stat().st_size for path in labels if path.is_file())
    groups = grouped(_lines(labels, metadata, counts, tick), size)
    batches = iter(lambda: list(islice(groups, GROUPS)), [])
    with replacing(out) as file:
        for records, batch_counts in in_processes(joined, batches, workers):
            file.write(records)
            for side, count in batch_counts.items():
                counts[side] += count
    return counts


def _lines(
    labels: Sequence[Path], metadata: Sequence[Path], counts: Counts, tick: Callable[[int], object]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield ``(ASIN, line)`` of all labels, marked as such, and then of the products that have one."""
    hashes = array("q")  # of this process: where two ASINs share one, grouping tells them apart
    for asin, line in _keyed(labels, LabelKey, counts["labels"], tick):
        hashes.append(hash(asin))
        yield asin, LABEL + line
    known = np.append(np.sort(np.array(hashes, np.int64)), np.iinfo(np.int64).max)
    products = _keyed(metadata, ProductKey, counts["metadata"], tick)
    while chunk := list(islice(products, LOOKED_UP)):
        own = np.array([hash(asin) for asin, _ in chunk], np.int64)
        labelled = known[np.searchsorted(known, own)] == own
        counts["metadata"]["without a label"] += int((~labelled).sum())
        yield from compress(chunk, labelled.tolist())


def _keyed(
    paths: Sequence[Path], kind: type[ProductKey | LabelKey], counts: Counter[str], tick: Callable[[int], object]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield every line with its ASIN; a line without one is counted and left out."""
    decode = msgspec.json.Decoder(kind).decode
    number = 0
    for path in paths:
        for line in json_texts(path):
            number += 1
            if number % STEP == 0:
                tick(number)
            try:
                asin = decode(line).asin
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                asin, line = _mended(line, kind)
            if asin:
                yield asin.encode(errors="replace"), line
            else:
                counts["no JSON object with an ASIN" if line.strip() else "blank line"] += 1
    counts["read"] = number


def _mended(line: bytes, kind: type[ProductKey | LabelKey]) -> tuple[str, bytes]:
    """Return the ASIN and the line as JSON of what the fast reader refuses: half a surrogate pair, or a Python literal."""
    try:
        text = line.decode()
        value = literal(text) if text.lstrip().startswith("{'") else json.loads(text)
        line = json.dumps(value, ensure_ascii=False).encode("utf-8", "ignore")
        return msgspec.json.decode(line, type=kind).asin, line
    except (ValueError, TypeError, RecursionError):
        return "", line


def joined(groups: Sequence[Sequence[bytes]]) -> tuple[bytes, Counts]:
    """Return the records of some ASINs' lines, a line each, and what became of their labels and products."""
    counts: Counts = {"labels": Counter(), "metadata": Counter()}
    with seldom_collected():
        lines = [_joined(groups[start : start + TOGETHER], counts) for start in range(0, len(groups), TOGETHER)]
    return b"".join(lines), counts


def _joined(groups: Sequence[Sequence[bytes]], counts: Counts) -> bytes:
    sides = [_sides(lines, counts) for lines in groups]
    paragraphs = _paragraphs([product for _, products in sides for product in products])
    records = (_records(labels, [next(paragraphs) for _ in products], counts) for labels, products in sides)
    return _encode([*chain.from_iterable(records)])


def _sides(lines: Sequence[bytes], counts: Counts) -> tuple[list[Label], list[Texts]]:
    """Return the labels of one ASIN, whose lines come first, and if there are any, its products."""
    labels: list[Label] = []
    products: list[Texts] = []
    for line in lines:
        is_label = line[:1] == LABEL
        try:
            if is_label:
                labels.append(_label(line[1:]))
            elif labels:
                products.append(_texts(line))
            else:
                counts["metadata"]["without a label"] += 1
        except (msgspec.DecodeError, UnicodeDecodeError):
            counts["labels" if is_label else "metadata"][NO_LABEL if is_label else NO_PRODUCT] += 1
    return labels, products


def _texts(line: bytes) -> Texts:
    try:
        return astuple(_usual(line))
    except msgspec.ValidationError:  # what is no text is left out
        lists = [value if isinstance(value, list) else [value] for value in astuple(_other(line))]
        return tuple([[text for text in texts if isinstance(text, str)] for texts in lists])


def _records(labels: Sequence[Label], products: Sequence[list[Paragraph]], counts: Counts) -> Iterator[Joined]:
    """Yield the records of one ASIN: all of its labels with the first product that has a title."""
    reason = "its product has no title after cleaning" if products else "no product of its ASIN"
    for number, paragraphs in enumerate(products, 1):
        if paragraphs and paragraphs[0].source == TITLE:
            counts["metadata"]["used"] += 1
            if number < len(products):
                counts["metadata"]["ASIN again"] += len(products) - number
            counts["labels"]["used"] += len(labels)
            for label in labels:
                if None in [spanned(attribute.evidences, paragraphs) for attribute in label.attributes]:
                    counts["labels"][UNSPANNED] += 1
                yield Joined(label.id, label.category, paragraphs, label.attributes)
            return
        counts["metadata"]["no title after cleaning"] += 1
    counts["labels"][reason] += len(labels)


def _paragraphs(products: Sequence[Texts]) -> Iterator[list[Paragraph]]:
    """Yield the paragraphs of each product; the texts of all are cleaned together."""
    sources, texts, counts = list[str](), list[str](), list[int]()
    for product in products:
        before = len(texts)
        for source, value in zip(SOURCES, product, strict=True):
            if isinstance(value, list):
                texts += value
                sources += [source] * len(value)
            elif value:
                texts.append(value)
                sources.append(source)
        counts.append(len(texts) - before)
    cleaned = zip(clean_mave_texts(sources, texts), sources, strict=True)
    for count in counts:
        yield [Paragraph(text, source) for text, source in islice(cleaned, count) if text]


def account(counts: Counter[str], inputs: Sequence[Path]) -> dict[str, Any]:
    """Return one side's part of the manifest: rows read and used, the others by reason, and the files."""
    return {
        "read": counts["read"],
        "used": counts["used"],
        "rejected": {reason: n for reason, n in sorted(counts.items()) if reason not in ("read", "used", UNSPANNED)},
        "noted": {UNSPANNED: counts[UNSPANNED]} if counts[UNSPANNED] else {},
        "inputs": [{"name": str(path), "sha256": sha256(path), "bytes": path.stat().st_size} for path in inputs],
    }
