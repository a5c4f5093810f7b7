"""BM25 inside one product, against rank_bm25, and how often its ten best are those of bm25s."""

import random
import time
from itertools import accumulate

import bm25s
import numpy as np
from rank_bm25 import BM25Okapi

from converters.text.retrieval import K1, B, bm25, ranked

PRODUCTS, TEXTS, QUESTIONS, VOCABULARY, BEST = 60, 120, 12, 8_000, 10
Words = list[list[str]]


def products(seed: int = 0) -> list[tuple[Words, Words]]:
    """Return each product's questions and review passages as words, which are as frequent as words are (Zipf)."""
    draw = random.Random(seed)
    words, weights = [f"w{n}" for n in range(VOCABULARY)], [*accumulate(1 / (n + 1) for n in range(VOCABULARY))]

    def said(count: int, low: int, high: int) -> Words:
        return [draw.choices(words, cum_weights=weights, k=draw.randint(low, high)) for _ in range(count)]

    return [(said(QUESTIONS, 5, 15), said(TEXTS, 15, 60)) for _ in range(PRODUCTS)]


def ours(questions: Words, texts: Words) -> list[list[float]]:
    """Score as the sources do."""
    return bm25(questions, texts)


def theirs(questions: Words, texts: Words) -> list[list[float]]:
    """Score by rank_bm25's index of the product."""
    index = BM25Okapi(texts, k1=K1, b=B)
    return [index.get_scores(question).tolist() for question in questions]


def overlap(questions: Words, texts: Words) -> float:
    """Return the share of bm25s' ten best that are ours; what is equal in score counts as the same."""
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index(texts, show_progress=False)
    shares = []
    for question, scores in zip(questions, bm25(questions, texts), strict=True):
        known = np.zeros(len(texts))
        for word in question:
            known += index.get_scores([word])
        worst = np.sort(known)[-BEST]
        shares.append(np.mean([known[place] >= worst - 1e-4 for place in ranked(scores)[:BEST]]))
    return float(np.mean(shares))


def compare(times: int = 5) -> None:
    """Print the ratio, both sides measured in turn."""
    everything = products()
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(times):
        for name, score in (("ours", ours), ("theirs", theirs)):
            start = time.perf_counter()
            for questions, texts in everything:
                score(questions, texts)
            taken[name].append(time.perf_counter() - start)
    ratio = np.median(taken["theirs"]) / np.median(taken["ours"])
    same = np.mean([overlap(questions, texts) for questions, texts in everything])
    print(
        f"BM25 of {QUESTIONS} questions in {TEXTS} passages of one product, against rank_bm25: {ratio:.2f}x "
        f"({PRODUCTS / np.median(taken['ours']):,.0f} products/s), top-{BEST} overlap with bm25s {same:.4f}"
    )


if __name__ == "__main__":
    compare()
