"""Several people's answers to one question: which is the target, which are further references, and what proves one."""

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from converters.text.matching import words
from converters.text.sanitize import one_line

CONTRADICTS = "reference left out: it contradicts the target"


class Answer(msgspec.Struct, frozen=True):
    """One community answer; ``helpful`` is votes up and votes in all, ``answerType`` is Y, N, ? or NA."""

    answerText: str  # noqa: N815 - the dataset's name
    answerType: str | None = None  # noqa: N815
    helpful: list[int] = []


def text_of(raw: str) -> str:
    """Return a text without HTML entities, on one line."""
    return one_line(html.unescape(raw))


def best_first(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Sort by votes up less votes down, then by how many answers say the same yes or no, then by how much their words agree.

    What is left equal is in the order of the alphabet, so that no answer wins by its place in the file.

    >>> [a.answerText for a in best_first([Answer("Blue"), Answer("It is red"), Answer("red"), Answer("It is not red")])]
    ['It is red', 'It is not red', 'red', 'Blue']
    """
    verdicts = Counter(answer.answerType for answer in answers if answer.answerType in ("Y", "N"))
    said = [frozenset(words(answer.answerText)) for answer in answers]
    held = Counter(word for text in said for word in text)

    def merit(pair: tuple[Answer, frozenset[str]]) -> tuple[float, float, float, str]:
        answer, text = pair
        up, total = answer.helpful if len(answer.helpful) == 2 else (0, 0)
        # The cosine with the sum of the others' words, but for a factor that is the same for all.
        shared = sum(held[word] - 1 for word in text) / max(1, len(text)) ** 0.5
        return total - 2 * up, -verdicts[answer.answerType or ""], -round(shared, 9), answer.answerText

    return tuple(answer for answer, _ in sorted(zip(answers, said, strict=True), key=merit))


def agreeing(answers: Sequence[Answer]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts without those that say No where the first says Yes, and a note for each left out."""
    opposite = {"Y": "N", "N": "Y"}.get(answers[0].answerType or "")
    kept = [answer for answer in answers if not opposite or answer.answerType != opposite]
    return tuple(dict.fromkeys(text_of(answer.answerText) for answer in kept)), (CONTRADICTS,) * (
        len(answers) - len(kept)
    )


def holds(snippet: str, answer: str) -> bool:
    """Tell whether a snippet says the answer word for word; a bare "No" or "Yes" stands in many and proves nothing.

    >>> holds("The lid comes off, yes.", "the lid comes off."), holds("No doubt.", "No")
    (True, False)
    """
    said = answer.casefold().rstrip(".!")
    telling = " " in said or any(character.isdigit() for character in said)
    return telling and bool(re.search(rf"(?<!\w){re.escape(said)}(?!\w)", snippet.casefold()))


class Asked(msgspec.Struct, frozen=True):
    """One question of a product's record."""

    questionText: str  # noqa: N815 - the dataset's name
    answers: list[Answer] = []


class Review(msgspec.Struct, frozen=True):
    """One review of a product's record."""

    reviewText: str = ""  # noqa: N815


class Raw(msgspec.Struct, frozen=True):
    """One row in any of the formats, as far as it is used."""

    asin: str
    questionText: str = ""  # noqa: N815
    review_snippets: list[str] | None = None
    answers: list[Answer] = []
    is_answerable: int | bool | None = None
    question: str = ""
    answer: str = ""
    answerType: str | None = None  # noqa: N815
    questions: list[Asked] | None = None
    reviews: list[Review] = []
    reviewText: str | None = None  # noqa: N815


def asked(row: Raw) -> list[Asked]:
    """Return the questions of a row: none of a review, several of a product's record."""
    if row.reviewText is not None:
        return []
    if row.questions is not None:
        return row.questions
    single = [Answer(row.answer, row.answerType)] if row.answer else []
    return [Asked(row.questionText or row.question, [*row.answers, *single])]


def said(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that hold a text."""
    return [answer for answer in answers if text_of(answer.answerText)]


def reviews(row: Raw) -> Iterator[str]:
    """Yield the reviews that a row holds."""
    yield from (text_of(text) for text in (row.reviewText or "", *(review.reviewText for review in row.reviews)))
