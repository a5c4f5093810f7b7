"""Which of a product's own snippets a question is shown: BM25, a sentence encoder, or both, within a budget.

BM25 as Lucene counts it: Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009; Kamphuis et al., ECIR 2020.
Reciprocal-rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009. The candidates are one product's, a few dozen texts, so only
the question's terms are counted and nothing is indexed.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import InputError

Encoder = Callable[[list[str]], NDArray[np.float32]]

WAYS = ("dataset", "bm25", "dense", "fusion")
K1, B = 1.5, 0.75
FUSION = 60  # the constant of reciprocal-rank fusion, as in its paper
SAME = 0.9  # word overlap (Jaccard) from which a snippet says nothing that an earlier one does not
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text, lower-cased.

    >>> words("It's 1.5 L!")
    ['it', 's', '1', '5', 'l']
    """
    return _WORD.findall(text.lower())


def bm25(question: str, texts: Sequence[str]) -> list[float]:
    """Return the score of each text for the question; a term that the question repeats counts as often.

    >>> [round(score, 2) for score in bm25("how big", ["big, very big", "red", "how nice"])]
    [0.48, 0.0, 0.39]
    """
    asked = Counter(words(question))
    split = [words(text) for text in texts]
    found = [Counter(word for word in document if word in asked) for document in split]
    mean = sum(map(len, split)) / len(split) if split else 0.0
    held = Counter(word for counts in found for word in counts)
    weight = {
        w: n * math.log(1 + (len(split) - held[w] + 0.5) / (held[w] + 0.5)) for w, n in asked.items() if w in held
    }
    return [
        _score(counts, weight, len(document) / mean if mean else 0.0)
        for counts, document in zip(found, split, strict=True)
    ]


def _score(counts: Counter[str], weight: dict[str, float], length: float) -> float:
    norm = K1 * (1 - B + B * length)
    return sum((weight[word] * n / (n + norm) for word, n in counts.items()), 0.0)


def dense(question: str, texts: Sequence[str], encode: Encoder) -> list[float]:
    """Return the cosine of the question and each text, as ``encode`` embeds them (n texts to an n × d array)."""
    found = encode([question, *texts])
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    unit = found / np.where(norms > 0, norms, 1)
    return [float(value) for value in unit[1:] @ unit[0]]


def ranked(scores: Sequence[float]) -> list[int]:
    """Return the places by falling score; ties keep their order.

    >>> ranked([0.1, 0.7, 0.1])
    [1, 0, 2]
    """
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def fused(*rankings: Sequence[int]) -> list[int]:
    """Return one ranking from several by reciprocal rank.

    >>> fused([0, 1, 2], [1, 2, 0])
    [1, 0, 2]
    """
    merit: Counter[int] = Counter()
    for ranking in rankings:
        merit.update({place: 1 / (FUSION + rank) for rank, place in enumerate(ranking, 1)})
    return sorted(merit, key=lambda place: (-merit[place], place))


def order(question: str, texts: Sequence[str], way: str, encode: Encoder | None = None) -> list[int]:
    """Return the places of the texts, best first, as ``way`` finds them; ``dataset`` leaves them as they are."""
    if way == "dataset" or not texts:
        return list(range(len(texts)))
    lexical = ranked(bm25(question, texts)) if way != "dense" else []
    near = ranked(dense(question, texts, encode)) if encode and way != "bm25" else []
    return fused(lexical, near) if way == "fusion" else lexical or near


def chosen(question: str, texts: Sequence[str], way: str, most: int, budget: int, encode: Encoder | None) -> list[str]:
    """Return at most ``most`` snippets in the order of ``way``, without near repeats, of at most ``budget`` words in all.

    The last one is cut where the budget ends, and the question is never touched. No budget is 0.
    """
    kept: list[str] = []
    seen: list[set[str]] = []
    left = budget or math.inf
    for text in (texts[place] for place in order(question, texts, way, encode)):
        said = set(words(text))
        if any(_overlap(said, other) >= SAME for other in seen):
            continue
        cut = text if len(text.split()) <= left else " ".join(text.split()[: int(left)])
        left -= len(cut.split())
        kept += [cut] if cut else []
        seen.append(said)
        if len(kept) == most or left <= 0:
            break
    return kept


def _overlap(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second) if first | second else 1.0


@cache
def encoder(name: str) -> Encoder:
    """Return the sentence encoder of that name or folder; without its package, or the model, an ``InputError``."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise InputError(
            "retrieval by a sentence encoder: found no package sentence-transformers, expected it"
        ) from error
    try:
        model: Any = SentenceTransformer(name, device="cpu")
    except (OSError, ValueError) as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise InputError(f"encoder {name!r}: found no model that can be loaded, expected one: {first}") from error
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False), np.float32)
