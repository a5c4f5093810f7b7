"""AmazonQA: questions about a product, the review snippets retrieved for them, and the community's answers.

Raw format: one JSON object a line (``*-qar.jsonl``). Paper: Gupta et al., "AmazonQA: A Review-Based Question Answering Task",
IJCAI 2019. ``is_answerable`` is a classifier's output, not human gold.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from converters.outcome import Outcome, digest, product_group
from converters.raw import decoded
from converters.records import Question
from converters.untrusted import one_line

URL = "https://github.com/amazonqa/amazonqa"
LICENCE = "none stated; questions, answers and reviews from Amazon, research use"
FILES = "train-qar.jsonl, val-qar.jsonl, test-qar.jsonl"
TASKS = ("answer",)


class Answer(msgspec.Struct, frozen=True):
    """One community answer; ``helpful`` is votes up and votes in all, ``answerType`` is Y, N, ? or NA."""

    answerText: str  # noqa: N815 - the dataset's name
    answerType: str | None = None  # noqa: N815
    helpful: list[int] = []


class Qar(msgspec.Struct, frozen=True):
    """One AmazonQA record, as far as it is used."""

    asin: str
    questionText: str  # noqa: N815
    review_snippets: list[str]
    answers: list[Answer]
    is_answerable: int | bool
    qid: int | str | None = None


def read(paths: Sequence[Path], *, snippets: int = 10) -> Iterator[Outcome]:
    """Yield one outcome a line, with at most ``snippets`` snippets, in the dataset's order and without repeats."""
    for where, qar in decoded(paths, Qar):
        yield qar if isinstance(qar, Outcome) else _outcome(where, qar, snippets)


def _outcome(where: str, qar: Qar, limit: int) -> Outcome:
    question = _text(qar.questionText)
    snippets = tuple(dict.fromkeys(filter(None, map(_text, qar.review_snippets))))[:limit]
    answers = tuple(answer for answer in _ranked(qar.answers) if _text(answer.answerText))
    reason = _reason(question, snippets, answers, bool(qar.is_answerable))
    if reason:
        return Outcome(where, reason=reason)
    said, notes = _agreeing(answers) if qar.is_answerable else ((), ())
    target = said[0] if said else None
    cited = tuple(n for n, text in enumerate(snippets, 1) if target and _holds(text, target))
    identifier = f"{qar.asin}:{digest(question, snippets, answers)}"
    group = product_group(qar.asin, qar.asin)
    return Outcome(where, (Question(identifier, group, question, snippets, target, cited, said[1:]),), notes=notes)


def _agreeing(answers: Sequence[Answer]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts, best first, without those that say No where the best says Yes, and a note for each left out."""
    opposite = {"Y": "N", "N": "Y"}.get(answers[0].answerType or "")
    kept = [answer for answer in answers if not opposite or answer.answerType != opposite]
    notes = ("reference left out: it contradicts the target",) * (len(answers) - len(kept))
    return tuple(dict.fromkeys(_text(answer.answerText) for answer in kept)), notes


def _reason(question: str, snippets: Sequence[str], answers: Sequence[Answer], answerable: bool) -> str:
    if not question:
        return "no question"
    if not snippets:
        return "no snippet"
    return "answerable but without an answer" if answerable and not answers else ""


def _ranked(answers: Sequence[Answer]) -> list[Answer]:
    """Sort by votes up less votes down, then by how many answers agree; a tie keeps the dataset's order."""
    agreement: Counter[str | None] = Counter(answer.answerType for answer in answers if answer.answerType in ("Y", "N"))

    def merit(answer: Answer) -> tuple[int, int]:
        up, total = answer.helpful if len(answer.helpful) == 2 else (0, 0)
        return 2 * up - total, agreement[answer.answerType]

    return sorted(answers, key=merit, reverse=True)


def _text(text: str) -> str:
    return one_line(html.unescape(text))


def _holds(snippet: str, answer: str) -> bool:
    """Tell whether a snippet says the answer word for word; a bare "No" or "Yes" stands in many and proves nothing."""
    words = answer.casefold().rstrip(".!")
    telling = " " in words or any(character.isdigit() for character in words)
    return telling and bool(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", snippet.casefold()))
