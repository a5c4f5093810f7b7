"""Joins MAVE's labels with the product text of Amazon Review Data 2018, so that every paragraph number and offset holds.

Labels: https://github.com/google-research-datasets/MAVE (``mave_positives_labels.jsonl``, ``mave_negatives_labels.jsonl``).
Metadata: https://nijianmo.github.io/amazon/ (``All_Amazon_Meta.json.gz``), one JSON object a line.

Labels, and the products that have one, are brought together by ASIN on disk: of every label only 8 bytes stay in memory.
"""

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converters.core.console import in_processes
from converters.io import json_values
from converters.io.grouping import grouped
from converters.io.jsonl import replacing, sha256
from converters.io.rows import literal
from converters.sources.mave import Attribute, Paragraph, spanned
from converters.text.html import clean_mave

STEP = 4096  # lines between two words of progress, and products that are looked up at once
GROUPS = 256  # ASINs that one worker joins at a time
LABEL = b"L"  # before a line of labels; a product's line begins with a bracket or white space
HOLDS_NOT = "a span does not hold"
SOURCES = ("title", "description", "feature", "price", "brand")


class Label(msgspec.Struct, frozen=True):
    """One line of labels."""

    id: str
    category: str
    attributes: list[Attribute]


class Meta(msgspec.Struct, frozen=True):
    """A product as far as it is used: a text, or a list of texts, each."""

    asin: str = ""
    title: Any = None
    description: Any = None
    feature: Any = None
    price: Any = None
    brand: Any = None


class Asin(msgspec.Struct, frozen=True):
    """As much of a product as tells whether it has a label."""

    asin: str = ""


class Labelled(msgspec.Struct, frozen=True):
    """As much of a label as tells its product."""

    id: str


class Joined(msgspec.Struct, frozen=True):
    """A joined record, as :mod:`converters.sources.mave` reads it."""

    id: str
    category: str
    paragraphs: list[Paragraph]
    attributes: list[Attribute]


Counts = dict[str, Counter[str]]  # "labels" and "metadata": read, used, or the reason why not


def join(
    labels: Sequence[Path], metadata: Sequence[Path], out: Path, workers: int, tick: Callable[[int], object]
) -> Counts:
    """Write the joined records to ``out``; return what became of every label and every product.

    Products come in the order of a hash of their ASINs, whatever the files and however many workers clean their texts.
    """
    counts: Counts = {"labels": Counter(), "metadata": Counter()}
    size = 2 * sum(
        path.stat().st_size for path in labels if path.is_file()
    )  # about: labels, and the products that have one
    groups = grouped(_lines(labels, metadata, counts, tick), size)
    batches = iter(lambda: list(islice(groups, GROUPS)), [])
    with replacing(out) as file:
        for records, found in in_processes(joined, batches, workers):
            file.write(records)
            for side, count in found.items():
                counts[side] += count
    return counts


def _lines(
    labels: Sequence[Path], metadata: Sequence[Path], counts: Counts, tick: Callable[[int], object]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield ``(ASIN, line)`` of all labels, marked as such, and then of the products that have one."""
    hashes = array("Q")
    for key, line in _keyed(labels, Labelled, counts["labels"], tick):
        hashes.append(_hash(key))
        yield key, LABEL + line
    known = np.unique(np.frombuffer(hashes, np.uint64))
    products = _keyed(metadata, Asin, counts["metadata"], tick)
    while chunk := list(islice(products, STEP)):
        labelled = np.isin(np.array([_hash(key) for key, _ in chunk], np.uint64), known, kind="sort")
        counts["metadata"]["without a label"] += int((~labelled).sum())
        yield from (pair for pair, wanted in zip(chunk, labelled, strict=True) if wanted)


def _keyed(
    paths: Sequence[Path], kind: type[Labelled] | type[Asin], counts: Counter[str], tick: Callable[[int], object]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield every line with its ASIN; a line without one is counted and left out."""
    decode = msgspec.json.Decoder(kind).decode
    for number, (_, line) in enumerate((pair for path in paths for pair in json_values(path)), 1):
        if number % STEP == 0:
            tick(number)
        counts["read"] += 1
        row: Labelled | Asin | None
        try:
            row = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            row, line = _otherwise(line, kind)
        asin = row.id if isinstance(row, Labelled) else row.asin if row else ""
        if asin:
            yield asin.encode(errors="replace"), line
        else:
            counts["no JSON object with an ASIN" if line.strip() else "blank line"] += 1


def _hash(asin: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(asin, digest_size=8).digest())


def _otherwise(line: bytes, kind: type[Labelled] | type[Asin]) -> tuple[Labelled | Asin | None, bytes]:
    """Read what the fast reader refuses: half a surrogate pair, and the Python literals of older dumps."""
    try:
        text = line.decode()
        value = literal(text) if text.lstrip().startswith("{'") else json.loads(text)
        line = json.dumps(_without_surrogates(value)).encode()
        return msgspec.json.decode(line, type=kind), line
    except (ValueError, RecursionError):
        return None, line


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "ignore").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list) else value


def joined(groups: Sequence[Sequence[bytes]]) -> tuple[bytes, Counts]:
    """Return the records of some ASINs' lines, a line each, and what became of their labels and products."""
    counts: Counts = {"labels": Counter(), "metadata": Counter()}
    return b"".join(record for lines in groups for record in _records(lines, counts)), counts


def _records(lines: Sequence[bytes], counts: Counts) -> Iterator[bytes]:
    """Yield the records of one ASIN: all of its labels with the first product that has a title."""
    labels = list(_labels([line[1:] for line in lines if line[:1] == LABEL], counts["labels"]))
    products = [line for line in lines if line[:1] != LABEL]
    reason = "its product has no title after cleaning" if products else "no product of its ASIN"
    for number, line in enumerate(products, 1):
        paragraphs = _paragraphs(msgspec.json.decode(line, type=Meta)) if labels else []
        if any(paragraph.source == "title" for paragraph in paragraphs):
            counts["metadata"].update({"used": 1, "ASIN again": len(products) - number})
            for label in labels:
                yield msgspec.json.encode(Joined(label.id, label.category, paragraphs, label.attributes)) + b"\n"
                counts["labels"].update(_told(label, paragraphs))
            return
        counts["metadata"]["no title after cleaning" if labels else "without a label"] += 1
    counts["labels"][reason] += len(labels)


def _labels(lines: Sequence[bytes], counts: Counter[str]) -> Iterator[Label]:
    decode = msgspec.json.Decoder(Label).decode
    for line in lines:
        try:
            yield decode(line)
        except msgspec.DecodeError:
            counts["not a label of MAVE"] += 1


def _paragraphs(meta: Meta) -> list[Paragraph]:
    found = []
    for source in SOURCES:
        value = getattr(meta, source)
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str) and (said := clean_mave(source, text)):
                found.append(Paragraph(said, source))
    return found


def _told(label: Label, paragraphs: Sequence[Paragraph]) -> Iterator[str]:
    yield "used"
    plain = [paragraph.text for paragraph in paragraphs]
    if any(spanned(attribute.evidences, plain) is None for attribute in label.attributes):
        yield HOLDS_NOT


def account(counts: Counter[str], inputs: Sequence[Path]) -> dict[str, Any]:
    """Return what the manifest says of one side: read, used and every reason, with the files."""
    rejected = {why: n for why, n in sorted(counts.items()) if why not in ("read", "used", HOLDS_NOT)}
    return {
        "read": counts["read"],
        "used": counts["used"],
        "rejected": rejected,
        "noted": {HOLDS_NOT: counts[HOLDS_NOT]} if counts[HOLDS_NOT] else {},
        "inputs": [{"name": str(path), "sha256": sha256(path), "bytes": path.stat().st_size} for path in inputs],
    }
