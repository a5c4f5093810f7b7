"""Texts as vectors, by a sentence encoder that the optional package sentence-transformers loads.

This is the one place of converters that reaches a deep-learning library, and only when an entry asks for it.
"""

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from converters.core.errors import InputError, first_line, nearest
from converters.text.lengths import Ruler, ruler
from converters.text.matching import words

# n texts to an n × d array whose rows have length 1.
Encoder = Callable[[list[str]], NDArray[np.float32]]


@cache
def load(name: str) -> Encoder:
    """Return the encoder of a folder or hub id; without its package, or the model, an ``InputError``."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise InputError(
            "option encoder: found no package sentence-transformers, expected it: pip install 'ecom-llm-recipes[retrieval]'"
        ) from error
    try:
        model: Any = SentenceTransformer(name, device="cpu")
    except (OSError, ValueError, RuntimeError) as error:  # a hub that cannot be reached ends as the last one
        raise InputError(f"option encoder: found {name!r}, expected a sentence encoder: {first_line(error)}") from error

    def encode(texts: list[str]) -> NDArray[np.float32]:
        return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False), np.float32)

    return encode


WAYS = ("dataset", "bm25", "dense", "fusion")
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
K1, B = 1.5, 0.75
FUSION = 60  # the constant of reciprocal-rank fusion, as in its paper
SAME = 0.9  # overlap of words (Jaccard) from which a snippet says nothing that an earlier one does not
PASSAGE = 60  # words of a review that are one snippet, at most
_SENTENCE = re.compile(r"(?<=[.!?])\s+")

_PIECE = re.compile(r"\w+|[^\w\s]")

Length = Callable[[str], int]
# Options of the sources that retrieve.
Budget = Annotated[int | None, "the most tokens of question and snippets together; null: no limit"]
EncoderName = Annotated[str, "the sentence encoder of dense and fusion: a folder, or a name on the hub"]
TokenizerFile = Annotated[str | None, "the tokenizer's file that budget counts with; null: it counts words and signs"]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How snippets are chosen: the way, how many, the budget in tokens (none: no limit), and how many tokens a text has."""

    way: str
    most: int
    budget: int | None
    encode: Encoder | None
    length: Length


def ready(way: str, most: int, budget: int | None, encoder: str, tokenizer: str | None) -> Retrieval:
    """Return the retrieval that the options of a source ask for; what they cannot mean is an ``InputError``."""
    if way not in WAYS:
        raise InputError(f"option retrieval: found {way!r}{nearest(str(way), list(WAYS))}")
    for name, value in {"snippets": most, "budget": budget}.items():
        if value is not None and (not isinstance(value, int) or value < 1):
            raise InputError(f"option {name}: found {value!r}, expected a number of 1 or more")
    encode = load(encoder) if way in ("dense", "fusion") else None
    length = _measured(ruler(tokenizer)) if tokenizer else lambda text: len(ends(text))
    return Retrieval(way, most, budget, encode, length)


def _measured(found: Ruler) -> Length:
    return lambda text: int(found.measure([text])[0])


def ends(text: str) -> list[int]:
    """Return where each word and each other sign ends; without a tokenizer they are the tokens.

    >>> ends("1.5 L!")
    [1, 2, 3, 5, 6]
    """
    return [piece.end() for piece in _PIECE.finditer(text)]


def passages(review: str) -> Iterator[str]:
    """Yield a review in passages of whole sentences; a sentence of more than ``PASSAGE`` words is cut.

    >>> [len(text.split()) for text in passages("It is red. " + "And big. " * 30)]
    [59, 4]
    """
    held: list[str] = []
    for sentence in _SENTENCE.split(review):
        said = sentence.split()
        if held and len(held) + len(said) > PASSAGE:
            yield " ".join(held)
            held = []
        held += said
        while len(held) > PASSAGE:
            yield " ".join(held[:PASSAGE])
            held = held[PASSAGE:]
    if held:
        yield " ".join(held)


def bm25(questions: Sequence[Sequence[str]], texts: Sequence[Sequence[str]]) -> list[list[float]]:
    """Return each question's score of each text, all given as words; a word that a question repeats counts as often.

    >>> [round(score, 2) for score in bm25([words("how big")], [words(t) for t in ("big, very big", "red", "how nice")])[0]]
    [0.48, 0.0, 0.39]
    """
    asked = [Counter(question) for question in questions]
    term = set[str]().union(*asked).__contains__
    found: dict[str, list[tuple[int, int]]] = {}
    for place, text in enumerate(texts):
        for word, count in Counter(filter(term, text)).items():
            found.setdefault(word, []).append((place, count))
    gains = dict(_gains(found, list(map(len, texts))))
    return [_scores(question, gains, len(texts)) for question in asked]


def _gains(
    found: dict[str, list[tuple[int, int]]], lengths: Sequence[int]
) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """Yield each word with what it adds to the score of each text that holds it."""
    mean = sum(lengths) / len(lengths) if any(lengths) else 1.0
    norms = [K1 * (1 - B + B * length / mean) for length in lengths]
    for word, places in found.items():
        rare = math.log(1 + (len(lengths) - len(places) + 0.5) / (len(places) + 0.5))
        yield word, [(place, rare * count / (count + norms[place])) for place, count in places]


def _scores(question: Counter[str], gains: dict[str, list[tuple[int, float]]], number: int) -> list[float]:
    scores = [0.0] * number
    for word, times in question.items():
        for place, gain in gains.get(word, ()):
            scores[place] += times * gain
    return scores


def ranked(scores: Sequence[float]) -> list[int]:
    """Return the places by falling score; ties keep their order.

    >>> ranked([0.1, 0.7, 0.1])
    [1, 0, 2]
    """
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def fused(*rankings: Sequence[int]) -> list[int]:
    """Return one ranking from several by reciprocal rank; ties are in the order of places.

    >>> fused([0, 1, 2], [1, 2, 0])
    [1, 0, 2]
    """
    merit: dict[int, float] = {}
    for ranking in rankings:
        for rank, place in enumerate(ranking, 1):
            merit[place] = merit.get(place, 0.0) + 1 / (FUSION + rank)
    return sorted(merit, key=lambda place: (-merit[place], place))


def orders(questions: Sequence[str], texts: Sequence[str], how: Retrieval) -> list[list[int]]:
    """Return for each question the places of one product's texts, best first; ``dataset`` leaves them as they are."""
    if how.way == "dataset" or not texts:
        return [list(range(len(texts))) for _ in questions]
    rankings = []
    if how.way != "dense":
        rankings.append(list(map(ranked, bm25([*map(words, questions)], [*map(words, texts)]))))
    if how.encode:
        rankings.append(list(map(ranked, _cosines(questions, texts, how.encode))))
    return [fused(*found) for found in zip(*rankings, strict=True)]


def _cosines(questions: Sequence[str], texts: Sequence[str], encode: Encoder) -> list[list[float]]:
    vectors = encode([*questions, *texts])
    # Rounded, so that the last bits of another machine make no other order.
    found: list[list[float]] = (vectors[: len(questions)] @ vectors[len(questions) :].T).round(5).tolist()
    return found


def shown(
    question: str, texts: Sequence[str], order: Iterable[int], how: Retrieval, first: int | None = None
) -> list[tuple[int, str]]:
    """Return place and text of the snippets to show, in the given order, without near repeats and within the budget.

    The question takes its part of the budget and is never cut; the snippet where the budget ends is. The text at ``first`` is in
    before all others, wherever it stands in the order.
    """
    order = list(order)
    left = math.inf if how.budget is None else how.budget - how.length(question)
    kept: dict[int, str] = {}
    seen: list[frozenset[str]] = []
    for place in order if first is None else [first, *(place for place in order if place != first)]:
        if len(kept) == how.most or left <= 0:
            break
        said = frozenset(words(texts[place]))
        if any(_same(said, other) for other in seen):
            continue
        text, taken = _cut(texts[place], left, how) if how.budget else (texts[place], 0)
        if not text:
            break
        seen.append(said)
        kept[place] = text
        left -= taken
    return [(place, kept[place]) for place in order if place in kept]


def _cut(text: str, left: float, how: Retrieval) -> tuple[str, int]:
    """Return the text, cut after the last word or sign with which it has ``left`` tokens at most, and its tokens."""
    if (whole := how.length(text)) <= left:
        return text, whole
    places = [0, *ends(text)]
    kept = text[: places[bisect_right(places, left, key=lambda end: how.length(text[:end])) - 1]]
    return kept, how.length(kept)


def _same(first: frozenset[str], second: frozenset[str]) -> bool:
    """Tell whether two texts have nearly the same words, and exactly the same numbers."""
    both = len(first & second)
    if both < SAME * (len(first) + len(second) - both):
        return False
    return not any(any(map(str.isdigit, word)) for word in first ^ second)
