"""Several people's answers to one question: the target, the further references, and the snippets that hold an answer."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import msgspec

from converters.text.entities import entities
from converters.text.sanitize import one_line
from converters.text.words import fold, places, several_words, words

# Full stops, and quotation marks of other than English texts, which are no part of what an answer says.
_ENDS = re.compile(r"^[「『«“]+|[.!。！｡؟۔।॥။។」』»”]+$")

# Larger ones are JSON, and no counts.
Count = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]


class Answer(msgspec.Struct, frozen=True):
    """One community answer; ``answerType`` is Y, N, ? or NA, ``helpful`` is votes up and votes in all. Ids digest its names."""

    answerText: str  # noqa: N815 - the dataset's name
    answerType: str | None = None  # noqa: N815
    helpful: list[Count] = []


def unescaped(text: str) -> str:
    """Return a text without HTML entities, on one line."""
    return one_line(entities(text))


def best_first(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Sort by votes up less votes down, then by how many answers share the verdict, then by how much their words agree.

    Ties are in alphabetical order, so that no answer wins by its place in the file.

    >>> [a.answerText for a in best_first([Answer("Blue"), Answer("It is red"), Answer("red"), Answer("It is not red")])]
    ['It is red', 'It is not red', 'red', 'Blue']
    """
    verdicts = Counter(answer.answerType for answer in answers if answer.answerType in ("Y", "N"))
    vocabularies = [frozenset(words(answer.answerText)) for answer in answers]
    counts = Counter(word for vocabulary in vocabularies for word in vocabulary)

    def rank(pair: tuple[Answer, frozenset[str]]) -> tuple[float, float, float, str]:
        answer, vocabulary = pair
        up, total = answer.helpful if len(answer.helpful) == 2 else (0, 0)
        # The cosine with the sum of the others' words, but for a factor that is the same for all.
        shared = sum(counts[word] - 1 for word in vocabulary) / max(1, len(vocabulary)) ** 0.5
        return total - 2 * up, -verdicts[answer.answerType or ""], -round(shared, 9), answer.answerText

    return tuple(answer for answer, _ in sorted(zip(answers, vocabularies, strict=True), key=rank))


def agreeing(answers: Sequence[Answer]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts of the answers whose yes or no does not contradict the first one, and a note for each that does."""
    opposite = {"Y": "N", "N": "Y"}.get(answers[0].answerType or "")
    texts = [unescaped(answer.answerText) for answer in answers if not opposite or answer.answerType != opposite]
    notes = ("reference left out: it contradicts the target",) * (len(answers) - len(texts))
    return tuple(dict.fromkeys(texts)), notes


def holds(snippet: str, answer: str) -> bool:
    """Tell whether a snippet says the answer word for word; a bare "No" or "Yes" stands in many and proves nothing.

    >>> holds("The lid comes off, yes.", "the lid comes off."), holds("No doubt.", "No")
    (True, False)
    >>> holds("容量は１.５リットルです。", "「1.5リットルです。」"), holds("はい、軽いです。", "はい。")
    (True, False)
    """
    answer = _ENDS.sub("", fold(answer))
    specific = " " in answer or any(map(str.isdigit, answer)) or several_words(answer)
    return specific and any(places(answer, fold(snippet)))
