"""The index of a shop's texts: one folder, built once. Three functions stand before it: build, opened, search.

Products are found by BM25 over all that is said of each (bm25s, whose scores converters' own BM25 has, and whose index stays on
disk), English words by their stems, and, if an encoder is given, by the cosine with the beginning of their texts. The snippets
of a product, or of the products found, are then ranked as those of training rows: :func:`converters.text.retrieval.rank`.

Files: ``snippets.jsonl`` (a product a line), ``places.npy`` (where its line begins), ``ids.json``, ``bm25``, ``vectors.npy``
or ``chroma``, and ``index.json``, which names what it was built from.
"""

import mmap
import shutil
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.core.errors import InputError
from converters.io.grouping import grouped
from converters.io.jsonl import decode, locked, write_json
from converters.schema import Outcome
from converters.text.retrieval import K1, B, Encoder, Retrieval, fused, load, rank
from converters.text.words import searched
from eval.metrics.generation import stemmer
from eval.metrics.grounding import FUNCTION_WORDS
from eval.production.asking import chroma
from eval.production.asking.snippets import TITLE, Snippet

FORMAT = 1  # of the folder; another one is built again
RECORD = "index.json"
FOUND = 100  # products that each ranking proposes, where both are there
HEAD = 1000  # characters of a product's texts that the encoder is given
BATCH = 256
UNKNOWN = "review of a product that the catalogue does not have"

Vectors = Literal["file", "chroma"]
"""Where an encoder's vectors are kept: a file in which all are compared, or Chroma."""


class Texts(msgspec.Struct, frozen=True):
    """All that is said of one product, the catalogue's snippets first."""

    product: str
    snippets: list[Snippet]

    @property
    def title(self) -> str:
        """Its title, empty where it has none."""
        return next((snippet.text for snippet in self.snippets if snippet.source == TITLE), "")


class Record(msgspec.Struct, frozen=True):
    """What an index was built from, by the hash of each file, and what became of it: ``index.json``."""

    format: int
    files: dict[str, str]
    options: dict[str, Any]
    encoder: str | None
    products: int = 0
    snippets: int = 0
    rejected: dict[str, int] = {}
    vectors: Vectors = "file"


@dataclass(frozen=True, slots=True)
class Store:
    """An open index: ``lines`` are the bytes of the snippets' file, mapped into memory as they are read."""

    record: Record
    ids: Sequence[str]
    numbers: Mapping[str, int]
    lines: mmap.mmap
    places: NDArray[np.int64]
    words: Any
    nearest: chroma.Nearest | None
    encode: Encoder | None

    def __contains__(self, product: object) -> bool:
        return product in self.numbers

    def texts(self, number: int) -> Texts:
        """Return what is said of the product with this number."""
        line = self.lines[self.places[number] : self.places[number + 1]]
        return msgspec.json.decode(line, type=Texts)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the index in a folder while it, or a graph within it, is built; another process that does so is an ``InputError``."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, folder, "built"):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def build(snippets: Iterable[Snippet | Outcome], folder: Path, record: Record, size: int) -> Record:
    """Write the index of ``snippets`` into ``folder``, in place of any earlier one, and return its record.

    ``size`` is roughly that of the texts in bytes. What is no snippet is counted by its reason, as are reviews of products that
    the catalogue does not have. Nothing to index is an ``InputError``.
    """
    if record.vectors == "chroma":
        chroma.package()  # before the texts are read
    with alone(folder), tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        made, rejected = Path(place) / folder.name, Counter[str]()
        made.mkdir()
        count, ids = _write_texts(_products(snippets, size, rejected), made)
        if not ids:
            reasons = ", ".join(f"{number:,} {reason}" for reason, number in rejected.most_common(3))
            raise InputError(f"{folder}: found no product with a text to index ({reasons or 'no rows'})")
        if record.encoder:
            batches = _vectors(made, load(record.encoder))
            if record.vectors == "chroma":
                chroma.write(made / "chroma", batches)
            else:
                np.save(made / "vectors.npy", np.concatenate([*batches]))
        done = msgspec.structs.replace(
            record, products=len(ids), snippets=count, rejected=dict(sorted(rejected.items()))
        )
        write_json(made / RECORD, done)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return done


def _products(snippets: Iterable[Snippet | Outcome], size: int, rejected: Counter[str]) -> Iterator[Texts]:
    """Yield the products that the catalogue has, with their reviews; a review of another one counts once, however long."""
    pack, unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Snippet).decode
    pairs = (s if isinstance(s, Outcome) else (s.product.encode(), pack(s)) for s in snippets)
    for item in grouped(pairs, size):
        if isinstance(item, Outcome):
            rejected[item.reason] += item.rows
            continue
        own = list(map(unpack, item))
        if any(snippet.kind == "catalogue" for snippet in own):
            distinct = dict[tuple[str, str], Snippet]()
            for snippet in own:
                distinct.setdefault((snippet.kind, snippet.text), snippet)
            yield Texts(own[0].product, list(distinct.values()))
        else:
            rejected[UNKNOWN] += len({snippet.source for snippet in own})


def keys(text: str) -> list[str]:
    """Return the words by which products are found: those of a search, without English function words, by Porter's stems.

    >>> keys("Which kettles boil for 2 minutes?"), keys("黒のマグ")
    (['kettl', 'boil', '2', 'minut'], ['黒の', 'のマ', 'マグ', '黒'])
    """
    stem = stemmer().stem
    return [stem(word) if word.isascii() else word for word in searched(text) if word not in FUNCTION_WORDS]


def _write_texts(products: Iterable[Texts], folder: Path) -> tuple[int, list[str]]:
    """Write the products' texts and the index of their words; return the numbers of snippets and the products' ids."""
    import bm25s

    ids, places, count = list[str](), array("q", [0]), 0
    vocabulary: dict[str, int] = {}
    documents = list[Any]()
    with (folder / "snippets.jsonl").open("wb") as file:
        for product in products:
            file.write(msgspec.json.encode(product) + b"\n")
            places.append(file.tell())
            ids.append(product.product)
            count += len(product.snippets)
            words = (word for snippet in product.snippets for word in keys(snippet.text))
            documents.append(array("i", (vocabulary.setdefault(word, len(vocabulary)) for word in words)))
    if vocabulary:
        index = bm25s.BM25(method="lucene", k1=K1, b=B)
        index.index((documents, vocabulary), show_progress=False)
        index.save(folder / "bm25", show_progress=False)
    np.save(folder / "places.npy", np.array(places, np.int64))
    (folder / "ids.json").write_bytes(msgspec.json.encode(ids))
    return count, ids if vocabulary else []


def _vectors(folder: Path, encode: Encoder) -> Iterator[NDArray[np.float32]]:
    """Yield the vectors of the products' beginnings, in the order of the file."""
    with (folder / "snippets.jsonl").open("rb") as file:
        while lines := [*islice(file, BATCH)]:
            products = [msgspec.json.decode(line, type=Texts) for line in lines]
            yield encode([" ".join(snippet.text for snippet in each.snippets)[:HEAD] for each in products])


def record_of(folder: Path) -> Record | None:
    """Return the record of an index, ``None`` where there is none or it is of another format."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record = decode(path.read_bytes(), dict[str, Any], RECORD)
        return decode(path.read_bytes(), Record, RECORD) if record.get("format") == FORMAT else None
    except InputError as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, why: Exception | str) -> InputError:
    return InputError(f"{folder}: the index is damaged ({why}); build it again with --rebuild")


def opened(folder: Path) -> Store:
    """Return the index in a folder; one that is missing or incomplete, or of files of two, is an ``InputError``."""
    import bm25s

    record = record_of(folder)
    if record is None:
        raise InputError(f"{folder}: is no index of this version; build it again with --rebuild")
    try:
        ids = msgspec.json.decode((folder / "ids.json").read_bytes(), type=list[str])
        with (folder / "snippets.jsonl").open("rb") as file:
            lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        places = np.load(folder / "places.npy")
        words = bm25s.BM25.load(folder / "bm25", mmap=True, show_progress=False)
        nearest = _nearest(folder, record) if record.encoder else None
    except (OSError, ValueError, EOFError, msgspec.DecodeError) as error:
        raise _damaged(folder, error) from error
    if len(places) != len(ids) + 1 or places[-1] != len(lines) or words.scores["num_docs"] != len(ids):
        raise _damaged(folder, "its files are not of one index")
    numbers = {product: number for number, product in enumerate(ids)}
    encode = load(record.encoder) if record.encoder else None
    return Store(record, ids, numbers, lines, places, words, nearest, encode)


def _nearest(folder: Path, record: Record) -> chroma.Nearest:
    if record.vectors == "chroma":
        return chroma.opened(folder / "chroma")
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")

    def nearest(vector: NDArray[np.float32], most: int) -> list[int]:
        cosines = (vectors @ vector).round(5)
        return [int(number) for number in np.argsort(-cosines, kind="stable")[:most]]

    return nearest


def search(
    store: Store, question: str, product: str | None, k: int, how: Retrieval, products: int = 1
) -> list[Snippet]:
    """Return the ``k`` best snippets for a question, best first: of the product named or else of the best ``products``.

    ``how`` is the retrieval of training. Of several products, each snippet begins with its product's title. An unknown product,
    or a question none of whose words the shop uses, has none.
    """
    numbers = _found(store, question, products) if product is None else _numbered(store, product)
    found = [snippet for number in numbers for snippet in _titled(store.texts(number), len(numbers) > 1)]
    [order] = rank([question], [snippet.text for snippet in found], how)
    return [found[place] for place in order[:k]]


def _numbered(store: Store, product: str) -> list[int]:
    return [store.numbers[product]] if product in store else []


def _found(store: Store, question: str, most: int) -> list[int]:
    """Return the numbers of the products that a question is likeliest about, best first."""
    ids = store.words.get_tokens_ids(keys(question))
    scores = store.words.get_scores_from_ids(ids) if ids else np.zeros(len(store.ids), np.float32)
    best = np.argsort(-scores, kind="stable")[: max(FOUND, most)]
    ranking = [int(number) for number in best if scores[number] > 0]
    if store.encode is None or store.nearest is None:
        return ranking[:most]
    return fused(ranking, store.nearest(store.encode([question])[0], max(FOUND, most)))[:most]


def _titled(texts: Texts, several: bool) -> Iterator[Snippet]:
    """Yield a product's snippets, with its title before them where there are several products."""
    for snippet in texts.snippets:
        named = several and texts.title and texts.title not in snippet.text
        yield msgspec.structs.replace(snippet, text=f"{texts.title}: {snippet.text}") if named else snippet
