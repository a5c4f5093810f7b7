"""Answers' retrieval: the index of a catalogue and a query in it, beside bm25s with a document for each text, and beside Chroma.

``python -m tests.bench.retrieval [PRODUCTS]``: with 100,000 products of 5 texts, the index is to take under 180 s on two cores
and a query under 50 ms. An encoder's own time is left out of the comparison with Chroma: it is the same on both sides.
"""

import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path

import bm25s
import numpy as np
from numpy.typing import NDArray

from converters.text.retrieval import K1, MINILM, B, configure
from converters.text.words import searched
from eval.production.asking import chroma, store
from eval.production.asking.snippets import TITLE, Snippet

PRODUCTS, TEXTS, QUESTIONS, VOCABULARY = 100_000, 5, 200, 30_000
DIMENSIONS, KINDS, NEAREST = 384, 1000, 100  # of made-up vectors, and how many are asked for
SECONDS, MILLISECONDS = 180, 50  # the goals for PRODUCTS


def shop(products: int, seed: int = 0) -> Iterator[Snippet]:
    """Yield the texts of made-up products: a title and four of 20 to 60 words, which are as frequent as words are (Zipf)."""
    draw = random.Random(seed)
    words, weights = [f"w{n}" for n in range(VOCABULARY)], [*accumulate(1 / (n + 1) for n in range(VOCABULARY))]
    for number in range(products):
        for text in range(TEXTS):
            count = draw.randint(20, 60) if text else 8
            said = " ".join(draw.choices(words, cum_weights=weights, k=count))
            yield Snippet(f"p{number}", said, "catalogue", f"text {text}" if text else TITLE)


def questions(products: int, seed: int = 1) -> list[tuple[str, str]]:
    """Return questions of 6 to 14 words, each with a product that it may be about."""
    draw = random.Random(seed)
    weights = [*accumulate(1 / (n + 1) for n in range(VOCABULARY))]
    names = [f"w{n}" for n in range(VOCABULARY)]
    said = (draw.choices(names, cum_weights=weights, k=draw.randint(6, 14)) for _ in range(QUESTIONS))
    return [(" ".join(words), f"p{draw.randrange(products)}") for words in said]


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def spread(seconds: Sequence[float]) -> tuple[float, str]:
    """Return the median of times in milliseconds, and what to print of them."""
    p50, p95 = 1000 * np.quantile(seconds, [0.5, 0.95])
    return float(p50), f"{p50:.1f} ms, 95 % within {p95:.1f} ms"


def goal(value: float, most: int, unit: str) -> str:
    """Say whether a goal is met."""
    return f" (goal: under {most} {unit}: {'met' if value < most else 'NOT met'})"


def ours(folder: Path, texts: Sequence[Snippet], products: int) -> list[str]:
    """Build, open and ask the index of this project."""
    how = configure("bm25", 10, None, MINILM, None)
    begin = time.perf_counter()
    record = store.build(texts, folder, store.Record(store.FORMAT, {}, {}, None), products * TEXTS * 300)
    built, begin = time.perf_counter() - begin, time.perf_counter()
    opened = store.opened(folder)
    loaded = time.perf_counter() - begin
    taken: dict[str, list[float]] = {"across": [], "inside": []}
    for question, product in questions(products):
        for name, of in (("across", None), ("inside", product)):
            begin = time.perf_counter()
            store.search(opened, question, of, 200, how, 3)
            taken[name].append(time.perf_counter() - begin)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    lines = [
        f"index of {record.products:,} products, {record.snippets:,} snippets: {built:.1f} s{goal(built, SECONDS, 's')}, "
        f"{size:.0f} MiB; open {loaded:.2f} s"
    ]
    for name, times in taken.items():
        median, said = spread(times)
        lines.append(f"query {name} the catalogue's products: {said}{goal(median, MILLISECONDS, 'ms')}")
    return lines


def theirs(texts: Sequence[Snippet], products: int) -> list[str]:
    """Do the same with bm25s alone, every text a document, tokenised alike."""
    begin = time.perf_counter()
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index([searched(snippet.text) for snippet in texts], show_progress=False)
    built, taken = time.perf_counter() - begin, list[float]()
    for question, _ in questions(products):
        begin = time.perf_counter()
        index.retrieve([searched(question)], k=min(10, len(texts)), show_progress=False)
        taken.append(time.perf_counter() - begin)
    return [f"bm25s, a document a text, in memory: {built:.1f} s; query {spread(taken)[1]}"]


def embedded(products: int, seed: int = 2) -> NDArray[np.float32]:
    """Return made-up vectors of length 1, those of products, then those of questions: a thousand kinds, each spread out."""
    draw = np.random.default_rng(seed)
    kinds = draw.normal(size=(KINDS, DIMENSIONS))
    vectors = kinds[draw.integers(KINDS, size=products + QUESTIONS)] + draw.normal(
        size=(products + QUESTIONS, DIMENSIONS)
    )
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def dense(folder: Path, products: int) -> list[str]:
    """Keep vectors of products in a file, all of which are compared, and in Chroma, and ask both for the nearest."""
    vectors = embedded(products)
    held, asked = vectors[:products], vectors[products:]
    (folder / "file").mkdir()
    wrote = timed(lambda: np.save(folder / "file" / "vectors.npy", held))
    exact = store._nearest(folder / "file", store.Record(store.FORMAT, {}, {}, "made-up"))
    most = min(NEAREST, products)
    right = [exact(vector, most) for vector in asked]
    taken = [timed(partial(exact, vector, most)) for vector in asked]
    lines = [f"{products:,} vectors in a file, all compared: {wrote:.1f} s; the {most} nearest {spread(taken)[1]}"]
    if importlib.util.find_spec("chromadb") is None:
        return [*lines, "Chroma: not installed (pip install chromadb)"]
    batches = (held[place : place + 1000] for place in range(0, products, 1000))
    built = timed(lambda: chroma.write(folder / "chroma", batches))
    nearest = chroma.opened(folder / "chroma")
    found = [nearest(vector, most) for vector in asked]
    taken = [timed(partial(nearest, vector, most)) for vector in asked]
    share = np.mean([len({*some} & {*all_}) / most for some, all_ in zip(found, right, strict=True)])
    size = sum(path.stat().st_size for path in (folder / "chroma").rglob("*") if path.is_file()) / 2**20
    return [*lines, f"Chroma: {built:.1f} s, {size:.0f} MiB; the same {spread(taken)[1]}; {share:.1%} of them found"]


def compare(products: int = PRODUCTS) -> None:
    """Print all sides."""
    with tempfile.TemporaryDirectory() as folder:
        texts = list(shop(products))
        print("\n".join(ours(Path(folder) / "index", texts, products)), flush=True)
        print("\n".join(theirs(texts, products)), flush=True)
        print("\n".join(dense(Path(folder), products)), flush=True)


if __name__ == "__main__":
    compare(int(sys.argv[1]) if len(sys.argv) > 1 else PRODUCTS)
