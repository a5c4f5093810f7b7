"""The rows of AmazonQA's and McAuley's files, as far as they are used: which formats there are, :mod:`amazonqa` says."""

from collections.abc import Iterator, Sequence

import msgspec

from converters.answers import Answer, text_of


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
