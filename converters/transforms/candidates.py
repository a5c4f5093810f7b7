"""The expert behind a shortlist of categories: a TF-IDF centroid for each path (Rocchio), fitted on the training split alone.

Manning, Raghavan, Schütze, "Introduction to Information Retrieval", 2008, chapter 14.2. Training rows are cross-fitted: groups
are dealt into five folds, and the candidates of a row come from the other four, which have not seen its answer; held-out rows
get theirs from all five. Words are hashed and only sums by fold and path are held: memory grows with paths and words, not rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.text.words import searched

FOLDS = 5
WORDS = 2**20  # places that words are hashed to
CHUNK = 512
EAST = "\u2e80"  # the first sign of East Asian scripts, where a letter may be a word

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Expert:
    """Five folds of sums, and what each of six experts makes of them: the one without fold 0, …, without fold 4, without none.

    ``words`` is WORDS × (FOLDS · paths), ``weight`` (squared inverse document frequency) 6 × WORDS, ``norm`` and ``rank`` are
    6 × paths: a path's length as a vector, 0 where the expert does not know it, and its place by frequency.
    """

    paths: tuple[str, ...]
    words: Any
    weight: Floats
    norm: Floats
    rank: Ints


def fit(rows: Iterable[tuple[str, int, int]], paths: Sequence[str]) -> Expert:
    """Fit an expert on ``(text, number of its path, fold)``."""
    from scipy import sparse  # slow to load, and most mixtures have no shortlists

    shape = (FOLDS * len(paths), WORDS)
    sums, word_counts = sparse.csr_array(shape, dtype=np.float32), np.zeros((FOLDS, WORDS), np.float32)
    counts = np.zeros((FOLDS, len(paths)), np.int64)
    waiting: list[Any] = []
    for texts, labels, folds in _chunks(rows):
        vectors = hashed(texts)
        np.add.at(counts, (folds, labels), 1)
        for fold in np.unique(folds):
            word_counts[fold] += np.bincount(vectors[folds == fold].indices, minlength=WORDS)
        places = (folds * len(paths) + labels, np.arange(len(texts)))
        chosen = sparse.csr_array((np.ones(len(texts), np.float32), places), shape=(shape[0], len(texts)))
        waiting.append(chosen @ vectors)
        if sum(one.nnz for one in waiting) > max(sums.nnz, 2**22):  # adding up seldom keeps the work linear
            sums, waiting = sum(waiting, sums), []
    return _expert(tuple(paths), sum(waiting, sums), word_counts, counts)


def _expert(paths: tuple[str, ...], sums: Any, word_counts: Floats, counts: Ints) -> Expert:
    known = [[fold for fold in range(FOLDS) if fold != left_out] for left_out in range(FOLDS + 1)]
    size = [counts[folds].sum() for folds in known]
    rare = [np.log((1 + n) / (1 + word_counts[folds].sum(0))) + 1 for n, folds in zip(size, known, strict=True)]
    blocks = [sums[fold * len(paths) : (fold + 1) * len(paths)] for fold in range(FOLDS)]
    norm = [
        _norms(sum(blocks[f] for f in folds[1:]) + blocks[folds[0]], w) for folds, w in zip(known, rare, strict=True)
    ]
    frequent = [np.lexsort((np.array(paths), -counts[folds].sum(0))) for folds in known]
    rank = np.argsort(np.array(frequent), axis=1)  # the place of each path in that order
    return Expert(paths, sums.T.tocsr(), np.square(rare, dtype=np.float32), np.array(norm, np.float32), rank)


def _norms(sums: Any, rare: Floats) -> Floats:
    weighed = sums.multiply(rare[None, :]).tocsr()
    return np.sqrt(np.asarray(weighed.multiply(weighed).sum(1), np.float32)).ravel()


def hashed(texts: Sequence[str]) -> Any:
    """Return texts × WORDS: each text's word counts, of length 1."""
    from sklearn.feature_extraction.text import HashingVectorizer

    how = {"analyzer": _terms, "alternate_sign": False, "dtype": np.float32}
    return HashingVectorizer(n_features=WORDS, **how).transform(texts).tocsr()


def _terms(text: str) -> list[str]:
    return [term for term in searched(text, accents=True) if len(term) > 1 or term >= EAST]


def propose(expert: Expert, texts: Sequence[str], left_out: NDArray[np.int64], k: int) -> Iterator[list[str]]:
    """Yield the ``k`` likeliest paths of each text, best first; ``left_out`` is the fold not to look at, FOLDS for none.

    Equally likely paths come by their frequency. There are fewer than ``k`` where the expert knows fewer.
    """
    for start in range(0, len(texts), CHUNK):
        chunk, out = texts[start : start + CHUNK], left_out[start : start + CHUNK]
        keys = _keys(expert, hashed(chunk), out)
        top = np.argpartition(-keys, min(k, keys.shape[1] - 1), axis=1)[:, :k]
        for row, places in zip(keys, top, strict=True):
            best = places[np.argsort(-row[places])]
            yield [expert.paths[place] for place in best.tolist() if row[place] >= 0]


def _keys(expert: Expert, vectors: Any, out: NDArray[np.int64]) -> Ints:
    """Return texts × paths: a whole number that grows with the score, and of equal scores with the frequency; -1 if unknown."""
    count = len(expert.paths)
    vectors.data *= expert.weight[np.repeat(out, np.diff(vectors.indptr)), vectors.indices]
    scores = (vectors @ expert.words).toarray().reshape(len(out), FOLDS, count)
    scores[np.arange(FOLDS)[None, :] == out[:, None]] = 0
    norm = expert.norm[out]
    scored = np.divide(scores.sum(1), norm, out=np.zeros_like(norm), where=norm > 0)
    # The bits of floats that are not negative are in the order of the floats.
    keys = scored.astype(np.float32).view(np.int32).astype(np.int64) << 32
    return np.where(norm > 0, keys + count - expert.rank[out], -1)


def _chunks(rows: Iterable[tuple[str, int, int]]) -> Iterator[tuple[list[str], NDArray[np.int64], NDArray[np.int64]]]:
    rest = iter(rows)
    while chunk := list(islice(rest, 8 * CHUNK)):
        texts, labels, folds = zip(*chunk, strict=True)
        yield list(texts), np.array(labels, np.int64), np.array(folds, np.int64)
