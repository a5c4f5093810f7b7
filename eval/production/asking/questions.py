"""The file of questions: a JSON object a line with a question and, if known, the product and an id of its own."""

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters.core.errors import InputError
from converters.io import decoded
from converters.schema import Outcome
from converters.text import clean

LONGEST = 4000  # characters; what is longer is no question


class Raw(msgspec.Struct, frozen=True):
    """One line, as far as it is used."""

    question: str
    product: str | int | None = None
    id: str | int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, clean as training has it, and the product that it is about, ``None``: to be found."""

    id: str
    question: str
    product: str | None = None


def worded(text: str) -> str:
    """Return a typed question, clean as training has it; one without a word, or one that is too long, is an ``InputError``.

    >>> worded(" What does the <b>mug</b> cost? ")
    'What does the mug cost?'
    """
    question = clean(text)
    if not question:
        raise InputError(f"the question {text[:60]!r} has no words to ask")
    if len(question) > LONGEST:
        raise InputError(f"the question has {len(question):,} characters, more than {LONGEST:,}")
    return question


def read(path: Path, known: Container[str]) -> tuple[list[Asked], list[Outcome]]:
    """Return the questions of a file, and an outcome with its reason for each line that is none, so that both are all lines.

    ``known`` are the products. A file without any question to ask is an ``InputError``.
    """
    asked, rejected, seen = list[Asked](), list[Outcome](), set[str]()
    for where, item in _lines(path, known):
        if isinstance(item, Asked) and item.id in seen:
            rejected.append(Outcome(where, reason="id found twice", detail=item.id))
        elif isinstance(item, Asked):
            seen.add(item.id)
            asked.append(item)
        else:
            rejected.append(item)
    if not asked:
        common = Counter(outcome.reason for outcome in rejected).most_common(1)
        reason = f" (most common reason: {common[0][0]})" if common else ""
        raise InputError(
            f'{path}: found no question to ask, expected lines such as {{"question": "How big is it?"}}{reason}'
        )
    return asked, rejected


def _lines(path: Path, known: Container[str]) -> Iterator[tuple[str, Asked | Outcome]]:
    for number, (where, row) in enumerate(decoded([path], Raw), 1):
        if isinstance(row, Outcome):
            yield where, row
            continue
        question = clean(row.question)
        product = None if row.product in (None, "") else str(row.product).strip()
        if not question:
            yield where, Outcome(where, reason="no question")
        elif len(question) > LONGEST:
            yield where, Outcome(where, reason=f"question of more than {LONGEST} characters")
        elif product is not None and product not in known:
            yield where, Outcome(where, reason="unknown product", detail=product)
        else:
            yield where, Asked(f"line {number}" if row.id is None else str(row.id), question, product)
