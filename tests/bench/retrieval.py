"""Answers' retrieval: the index of a catalogue and a query in it, beside bm25s with a document for each text.

``python -m tests.bench.retrieval [PRODUCTS]``: with 100,000 products of 5 texts, the index is to take under 180 s on two cores
and a query under 50 ms.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import bm25s
import numpy as np

from converters.text.retrieval import K1, MINILM, B, configure
from converters.text.words import searched
from eval.production.asking import store
from eval.production.asking.snippets import TITLE, Snippet

PRODUCTS, TEXTS, QUESTIONS, VOCABULARY = 100_000, 5, 200, 30_000


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
            taken[name].append(1000 * (time.perf_counter() - begin))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    lines = [
        f"index of {record.products:,} products, {record.snippets:,} snippets: {built:.1f} s, {size:.0f} MiB; open {loaded:.2f} s"
    ]
    for name, times in taken.items():
        p50, p95 = np.quantile(times, [0.5, 0.95])
        lines.append(f"query {name} the catalogue's products: {p50:.1f} ms, 95 % within {p95:.1f} ms")
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
        taken.append(1000 * (time.perf_counter() - begin))
    p50, p95 = np.quantile(taken, [0.5, 0.95])
    return [f"bm25s, a document a text, in memory: {built:.1f} s; query {p50:.1f} ms, 95 % within {p95:.1f} ms"]


def compare(products: int = PRODUCTS) -> None:
    """Print both sides."""
    with tempfile.TemporaryDirectory() as folder:
        texts = list(shop(products))
        print("\n".join([*ours(Path(folder) / "index", texts, products), *theirs(texts, products)]))


if __name__ == "__main__":
    compare(int(sys.argv[1]) if len(sys.argv) > 1 else PRODUCTS)
