"""Choose the snippets that a question is answered from: BM25, a sentence encoder, or both, within a budget of tokens.

The optional package sentence-transformers is the one deep-learning library of converters, loaded only if an entry asks for it.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from converters.core.errors import InputError, first_line, nearest
from converters.text.lengths import ruler
from converters.text.words import cuts, searched, sentence_ends, terms, tokens

# n texts to an n × d array whose rows have length 1.
Encoder = Callable[[list[str]], NDArray[np.float32]]


@cache
def load(name: str) -> Encoder:
    """Return the encoder of a folder or hub id; a missing package or model is an ``InputError``."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        install = "pip install 'ecom-llm-recipes[retrieval]'"
        raise InputError(f"option encoder needs the package sentence-transformers: {install}") from error
    try:
        model: Any = SentenceTransformer(name, device="cpu")
    except (OSError, ValueError, RuntimeError) as error:  # the last one if the hub cannot be reached
        raise InputError(f"option encoder: found {name!r}, expected a sentence encoder: {first_line(error)}") from error

    def encode(texts: list[str]) -> NDArray[np.float32]:
        return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False), np.float32)

    return encode


METHODS = ("dataset", "bm25", "dense", "fusion")
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
K1, B = 1.5, 0.75
FUSION = 60  # the constant of reciprocal rank fusion (Cormack et al., SIGIR 2009)
SAME = 0.9  # word overlap (Jaccard) from which a snippet repeats an earlier one
PASSAGE = 60  # the most words of a snippet from a review; letters, in scripts without blanks

Length = Callable[[str], int]
# Options of the sources that retrieve.
Budget = Annotated[int | None, "the most tokens of question and snippets together; null: no limit"]
EncoderName = Annotated[str, "the sentence encoder of dense and fusion: a folder, or a name on the hub"]
TokenizerFile = Annotated[
    str | None, "a tokenizer file to count the budget with; null: it counts words and punctuation marks"
]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How snippets are chosen: the method, how many, the budget in tokens (none: no limit), and how many tokens a text has."""

    method: str
    most: int
    budget: int | None
    encode: Encoder | None
    length: Length


def configure(method: str, most: int, budget: int | None, encoder: str, tokenizer: str | None) -> Retrieval:
    """Return the retrieval of a source's options; an impossible value is an ``InputError``."""
    if method not in METHODS:
        raise InputError(f"option retrieval: found {method!r}{nearest(str(method), METHODS)}")
    for name, value in {"snippets": most, "budget": budget}.items():
        if value is not None and (not isinstance(value, int) or value < 1):
            raise InputError(f"option {name}: found {value!r}, expected a number of 1 or more")
    encode = load(encoder) if method in ("dense", "fusion") else None
    measure = ruler(tokenizer).measure if tokenizer else None
    length: Length = (lambda text: int(measure([text])[0])) if measure else lambda text: len(ends(text))
    return Retrieval(method, most, budget, encode, length)


def ends(text: str) -> list[int]:
    """Return where each word, letter of a script without blanks and punctuation mark ends; they stand in for tokens.

    >>> ends("1.5 L!"), ends("赤いです。")
    ([1, 2, 3, 5, 6], [1, 2, 3, 4, 5])
    """
    return [end for _, end in tokens(text)]


def passages(review: str) -> Iterator[str]:
    """Yield a review in passages of whole sentences; a sentence of more than ``PASSAGE`` words is split.

    >>> [len(text.split()) for text in passages("It is red. " + "And big. " * 30)]
    [59, 4]
    """
    text = " ".join(review.split())
    start, sentence, passage = (
        0,
        0,
        list[int](),
    )  # where the passage and the sentence begin, and the passage's words end
    for stop in sentence_ends(text):
        own = [sentence + end for end in cuts(text[sentence:stop])]
        if passage and len(passage) + len(own) > PASSAGE:
            yield text[start : passage[-1]].strip()
            start, passage = passage[-1], []
        passage += own
        while len(passage) > PASSAGE:
            yield text[start : passage[PASSAGE - 1]].strip()
            start, passage = passage[PASSAGE - 1], passage[PASSAGE:]
        sentence = stop
    if passage:
        yield text[start:].strip()


def bm25(questions: Sequence[Sequence[str]], texts: Sequence[Sequence[str]]) -> list[list[float]]:
    """Return each question's score of each text, all given as terms; a repeated one of a question counts each time.

    >>> [round(score, 2) for score in bm25([terms("how big")], [terms(t) for t in ("big, very big", "red", "how nice")])[0]]
    [0.48, 0.0, 0.39]
    """
    terms = [Counter(question) for question in questions]
    is_term = set[str]().union(*terms).__contains__
    index: dict[str, list[tuple[int, int]]] = {}
    for place, text in enumerate(texts):
        for word, count in Counter(filter(is_term, text)).items():
            index.setdefault(word, []).append((place, count))
    gains = dict(_gains(index, list(map(len, texts))))
    return [_scores(question, gains, len(texts)) for question in terms]


def _gains(
    index: dict[str, list[tuple[int, int]]], lengths: Sequence[int]
) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """Yield each word with what it adds to the score of each text that holds it."""
    mean = sum(lengths) / len(lengths) if any(lengths) else 1.0
    norms = [K1 * (1 - B + B * length / mean) for length in lengths]
    for word, places in index.items():
        rare = math.log(1 + (len(lengths) - len(places) + 0.5) / (len(places) + 0.5))
        yield word, [(place, rare * count / (count + norms[place])) for place, count in places]


def _scores(question: Counter[str], gains: dict[str, list[tuple[int, float]]], number: int) -> list[float]:
    scores = [0.0] * number
    for word, times in question.items():
        for place, gain in gains.get(word, ()):
            scores[place] += times * gain
    return scores


def ranked(scores: Sequence[float]) -> list[int]:
    """Return the places by descending score; ties keep their order.

    >>> ranked([0.1, 0.7, 0.1])
    [1, 0, 2]
    """
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def fused(*rankings: Sequence[int]) -> list[int]:
    """Return one ranking from several by reciprocal rank fusion; ties are in the order of places.

    >>> fused([0, 1, 2], [1, 2, 0])
    [1, 0, 2]
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, place in enumerate(ranking, 1):
            scores[place] = scores.get(place, 0.0) + 1 / (FUSION + rank)
    return sorted(scores, key=lambda place: (-scores[place], place))


def rank(questions: Sequence[str], texts: Sequence[str], how: Retrieval) -> list[list[int]]:
    """Return for each question the places of one product's texts, best first; ``dataset`` keeps their order."""
    if how.method == "dataset" or not texts:
        return [list(range(len(texts))) for _ in questions]
    rankings = []
    if how.method != "dense":
        rankings.append(list(map(ranked, bm25([*map(searched, questions)], [*map(searched, texts)]))))
    if how.encode:
        vectors = how.encode([*questions, *texts])
        # Rounded, so that the last bits of another machine do not change the order.
        cosines = (vectors[: len(questions)] @ vectors[len(questions) :].T).round(5).tolist()
        rankings.append(list(map(ranked, cosines)))
    return [fused(*ranks) for ranks in zip(*rankings, strict=True)]


def unmatched(question: str, best: str, how: Retrieval) -> bool:
    """Tell whether BM25 had nothing to go by: the question shares no term with the text that it ranks first, so with none."""
    return how.method == "bm25" and not {*searched(question)} & {*searched(best)}


def select(
    question: str, texts: Sequence[str], order: Iterable[int], how: Retrieval, first: int | None = None
) -> list[tuple[int, str]]:
    """Return place and text of the snippets to show, in the given order, without near repeats and within the budget.

    The question takes its part of the budget and is never cut; the snippet where the budget ends is. The text at ``first`` is
    selected before all others, wherever it is in the order.
    """
    order = list(order)
    budget = math.inf if how.budget is None else how.budget - how.length(question)
    snippets: dict[int, str] = {}
    term_sets: list[frozenset[str]] = []
    for place in order if first is None else [first, *(place for place in order if place != first)]:
        if len(snippets) == how.most or budget <= 0:
            break
        term_set = frozenset(terms(texts[place]))
        if any(_same(term_set, other) for other in term_sets):
            continue
        text, length = _cut(texts[place], budget, how) if how.budget else (texts[place], 0)
        if not text:
            break
        term_sets.append(term_set)
        snippets[place] = text
        budget -= length
    return [(place, snippets[place]) for place in order if place in snippets]


def _cut(text: str, budget: float, how: Retrieval) -> tuple[str, int]:
    """Return the text, cut after the last word or punctuation mark within the budget, and its number of tokens."""
    if (length := how.length(text)) <= budget:
        return text, length
    places = [0, *ends(text)]
    text = text[: places[bisect_right(places, budget, key=lambda end: how.length(text[:end])) - 1]]
    return text, how.length(text)


def _same(first: frozenset[str], second: frozenset[str]) -> bool:
    """Tell whether two texts have nearly the same words, and exactly the same numbers."""
    both = len(first & second)
    similar = both >= SAME * (len(first) + len(second) - both)
    return similar and not any(any(map(str.isdigit, word)) for word in first ^ second)
