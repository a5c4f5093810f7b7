"""TF-IDF vectors of many texts, fitted while they stream by: words are hashed, so no vocabulary is held.

Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988; 1 + log of the frequency, vectors of length 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from scipy import sparse

WORDS = 2**18  # places that words are hashed to
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Weights:
    """The fitted weights: scikit-learn's transformer."""

    transformer: Any

    def vectors(self, texts: Sequence[str]) -> Any:
        """Return texts × WORDS as a CSR matrix of float32."""
        return self.transformer.transform(counted(texts))


def fit(texts: Iterable[str]) -> tuple[Weights, Any]:
    """Return the weights that ``texts`` give, and their own vectors, texts × WORDS."""
    from sklearn.feature_extraction.text import TfidfTransformer

    parts = [*map(counted, chunks(texts))] or [counted([""])[:0]]
    found = sparse.vstack(parts, format="csr")
    transformer = TfidfTransformer(sublinear_tf=True).fit(found if found.shape[0] else counted([""]))
    return Weights(transformer), transformer.transform(found, copy=False)


def counted(texts: Sequence[str]) -> Any:
    """Return texts × WORDS: how often each word occurs."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        n_features=WORDS,
        token_pattern=r"\w+",
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    return hashing.transform(texts)


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Yield ``values`` in lists of ``size``.

    >>> [*chunks("abcde", 2)]
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
