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

from converters.core.console import in_processes
from converters.io import json_values
from converters.io.grouping import grouped
from converters.io.jsonl import replacing, sha256
from converters.io.rows import literal
from converters.sources.mave import Attribute, Paragraph, spanned
from converters.text.html import clean_mave

STEP = 4096  # lines between two calls of ``tick``, and products that are looked up at once
GROUPS = 1024  # ASINs that one worker joins at a time
LABEL = b"L"  # before a line of labels; a product's line begins with a bracket or white space
UNSPANNED = "a span does not hold"
TITLE = "title"
SOURCES = (TITLE, "description", "feature", "price", "brand")
Meta = msgspec.defstruct("Meta", [(source, Any, None) for source in SOURCES])  # each a text or a list of texts


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


_encode = msgspec.json.Encoder().encode
_decode_meta, _decode_label = msgspec.json.Decoder(Meta).decode, msgspec.json.Decoder(Label).decode
Counts = dict[str, Counter[str]]  # "labels" and "metadata": read, used, or the reason why not


def join(
    labels: Sequence[Path], metadata: Sequence[Path], out: Path, workers: int, tick: Callable[[int], object]
) -> Counts:
    """Write the joined records to ``out``; return what became of every label and every product.

    Products come in the order of a hash of their ASINs, whatever the files and however many workers clean their texts.
    """
    counts: Counts = {"labels": Counter(), "metadata": Counter()}
    size = 2 * sum(path.stat().st_size for path in labels if path.is_file())  # roughly, with the products they are of
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
    known = np.append(np.unique(np.array(hashes, np.int64)), np.iinfo(np.int64).max)
    products = _keyed(metadata, ProductKey, counts["metadata"], tick)
    while chunk := list(islice(products, STEP)):
        own = np.array([hash(asin) for asin, _ in chunk], np.int64)
        labelled = known[np.searchsorted(known, own)] == own
        counts["metadata"]["without a label"] += int((~labelled).sum())
        yield from compress(chunk, labelled.tolist())


def _keyed(
    paths: Sequence[Path], kind: type[ProductKey | LabelKey], counts: Counter[str], tick: Callable[[int], object]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield every line with its ASIN; a line without one is counted and left out."""
    decode = msgspec.json.Decoder(kind).decode
    for number, (_, line) in enumerate(chain.from_iterable(map(json_values, paths)), 1):
        if number % STEP == 0:
            tick(number)
        counts["read"] += 1
        try:
            asin = decode(line).asin
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            asin, line = _mended(line, kind)
        if asin:
            yield asin.encode(errors="replace"), line
        else:
            counts["no JSON object with an ASIN" if line.strip() else "blank line"] += 1


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
    return b"".join(record for lines in groups for record in _records(lines, counts)), counts


def _records(lines: Sequence[bytes], counts: Counts) -> Iterator[bytes]:
    """Yield the records of one ASIN: all of its labels with the first product that has a title."""
    labels = list(_labels([line[1:] for line in lines if line[:1] == LABEL], counts["labels"]))
    products = [line for line in lines if line[:1] != LABEL]
    reason = "its product has no title after cleaning" if products else "no product of its ASIN"
    for number, line in enumerate(products, 1):
        paragraphs = _paragraphs(_decode_meta(line)) if labels else []
        if paragraphs and paragraphs[0].source == TITLE:
            counts["metadata"]["used"] += 1
            counts["metadata"]["ASIN again"] += len(products) - number
            counts["labels"]["used"] += len(labels)
            for label in labels:
                spans = (spanned(attribute.evidences, paragraphs) for attribute in label.attributes)
                counts["labels"][UNSPANNED] += None in spans
                yield _encode(Joined(label.id, label.category, paragraphs, label.attributes)) + b"\n"
            return
        counts["metadata"]["no title after cleaning" if labels else "without a label"] += 1
    counts["labels"][reason] += len(labels)


def _labels(lines: Sequence[bytes], counts: Counter[str]) -> Iterator[Label]:
    for line in lines:
        try:
            yield _decode_label(line)
        except msgspec.DecodeError:
            counts["not a label of MAVE"] += 1


def _paragraphs(meta: msgspec.Struct) -> list[Paragraph]:
    paragraphs = []
    for source in SOURCES:
        value = getattr(meta, source)
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str) and (cleaned := clean_mave(source, text)):
                paragraphs.append(Paragraph(cleaned, source))
    return paragraphs


def account(counts: Counter[str], inputs: Sequence[Path]) -> dict[str, Any]:
    """Return one side's part of the manifest: rows read and used, the others by reason, and the files."""
    return {
        "read": counts["read"],
        "used": counts["used"],
        "rejected": {reason: n for reason, n in sorted(counts.items()) if reason not in ("read", "used", UNSPANNED)},
        "noted": {UNSPANNED: counts[UNSPANNED]} if counts[UNSPANNED] else {},
        "inputs": [{"name": str(path), "sha256": sha256(path), "bytes": path.stat().st_size} for path in inputs],
    }
