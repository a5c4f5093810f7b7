"""Joins MAVE's labels with the product text of Amazon Review Data 2018, so that every paragraph number and offset holds.

Labels: https://github.com/google-research-datasets/MAVE (``mave_positives_labels.jsonl``, ``mave_negatives_labels.jsonl``).
Metadata: https://nijianmo.github.io/amazon/ (``All_Amazon_Meta.json.gz``), one JSON object a line.

Both sides are split by a hash of the ASIN into files of a few MiB, metadata without a label left out, and joined file by file:
memory depends neither on the number of labels nor on that of products.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from converters.bloom import HASH_BYTES, Filter
from converters.jsonl import replacing, sha256
from converters.markup import clean
from converters.raw import json_values
from converters.raw.literals import literal
from converters.sources.mave import Attribute, Paragraph, spanned
from converters.workers import Tick, mapped

BUCKET_BYTES = 2**20
MOST_BUCKETS = 512  # files open at once
STEP = 4096
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


@dataclass(frozen=True, slots=True)
class Bucket:
    """Labels and products of the ASINs of one hash range, and where their records go."""

    labels: Path
    metadata: Path
    out: Path


Counts = dict[str, Counter[str]]  # "labels" and "metadata": read, used, or the reason why not


def join(labels: Sequence[Path], metadata: Sequence[Path], out: Path, work: Path, workers: int, tick: Tick) -> Counts:
    """Write the joined records to ``out``; return what became of every label and every product.

    The order is that of the buckets and, within one, of the metadata: it depends on the files alone. ``work`` is an empty folder.
    """
    number = min(MOST_BUCKETS, sum(path.stat().st_size for path in labels if path.is_file()) // BUCKET_BYTES + 1)
    buckets = [Bucket(work / f"{n}.labels", work / f"{n}.meta", work / f"{n}.out") for n in range(number)]
    counts: Counts = {"labels": Counter(), "metadata": Counter()}
    known = Filter()
    with _opened([bucket.labels for bucket in buckets]) as files:
        _split(labels, Labelled, files, known.add, counts["labels"], tick)
    with _opened([bucket.metadata for bucket in buckets]) as files:
        _split(metadata, Asin, files, known.holds, counts["metadata"], tick)
    with replacing(out) as file:
        for bucket, found in zip(buckets, mapped(joined, buckets, workers, lambda done: None), strict=True):
            for side, count in found.items():
                counts[side] += count
            with bucket.out.open("rb") as made:
                shutil.copyfileobj(made, file)
    return counts


@contextmanager
def _opened(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    with ExitStack() as stack:
        yield [stack.enter_context(path.open("wb")) for path in paths]


def _split(
    paths: Sequence[Path],
    kind: type[Labelled] | type[Asin],
    files: Sequence[BinaryIO],
    wanted: Callable[[int], bool],
    counts: Counter[str],
    tick: Tick,
) -> None:
    """Put every line into the file of its ASIN's hash; what cannot have a partner is counted and left out."""
    decoder = msgspec.json.Decoder(kind)
    for number, (_, line) in enumerate((pair for path in paths for pair in json_values(path)), 1):
        if number % STEP == 0:
            tick(number)
        counts["read"] += 1
        found: Labelled | Asin | None
        try:
            found = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found, line = _otherwise(line, kind)
        asin = getattr(found, "id", "") or getattr(found, "asin", "")
        key = _hash(asin)
        if not asin:
            counts["no JSON object with an ASIN" if line.strip() else "blank line"] += 1
        elif wanted(key):
            files[key % len(files)].write(line.rstrip(b"\r\n") + b"\n")
        else:
            counts["without a label"] += 1


def _hash(asin: str) -> int:
    return int.from_bytes(hashlib.blake2b(asin.encode(errors="replace"), digest_size=HASH_BYTES).digest())


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


def joined(bucket: Bucket) -> Counts:
    """Join one bucket; return its counts."""
    counts: Counts = {"labels": Counter(), "metadata": Counter()}
    labels = _labels(bucket.labels, counts["labels"])
    left, titleless = set(labels), set[str]()
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Meta).decode
    with bucket.metadata.open("rb") as file, bucket.out.open("wb") as out:
        for meta in map(decode, file):
            if meta.asin not in left:
                counts["metadata"]["without a label" if meta.asin not in labels else "ASIN again"] += 1
                continue
            paragraphs = _paragraphs(meta)
            if not any(paragraph.source == "title" for paragraph in paragraphs):
                counts["metadata"]["no title after cleaning"] += 1
                titleless.add(meta.asin)
                continue
            left.remove(meta.asin)
            counts["metadata"]["used"] += 1
            for label in labels[meta.asin]:
                out.write(encode(Joined(label.id, label.category, paragraphs, label.attributes)) + b"\n")
                counts["labels"].update(_told(label, paragraphs))
    for asin in left:
        reason = "its product has no title after cleaning" if asin in titleless else "no product of its ASIN"
        counts["labels"][reason] += len(labels[asin])
    return counts


def _labels(path: Path, counts: Counter[str]) -> dict[str, list[Label]]:
    labels: dict[str, list[Label]] = {}
    decoder = msgspec.json.Decoder(Label)
    for line in path.read_bytes().splitlines():
        try:
            label = decoder.decode(line)
            labels.setdefault(label.id, []).append(label)
        except msgspec.DecodeError:
            counts["not a label of MAVE"] += 1
    return labels


def _paragraphs(meta: Meta) -> list[Paragraph]:
    found = []
    for source in SOURCES:
        value = getattr(meta, source)
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str) and (said := clean(source, text)):
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
