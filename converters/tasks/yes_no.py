"""``[CLASSIFY]``: a question about products that is answered by yes or no."""

from converters.schema import Verdict
from converters.tasks.base import Task

PREFIX = "[CLASSIFY]"
_WORDS = {"yes": True, "no": False}


def prompt(record: Verdict) -> str:
    """Return the instruction, then one labelled line per piece of product text."""
    lines = [f"{PREFIX} {record.question} Answer yes or no."]
    return "\n".join(lines + [f"{t.label}: {t.text}" for t in record.texts])


def answer(record: Verdict) -> bool:
    """Return the verdict."""
    return record.answer


def render(verdict: bool) -> str:
    """Write one word.

    >>> render(True), render(False)
    ('yes', 'no')
    """
    return "yes" if verdict else "no"


def parse(text: str) -> bool | None:
    """Read one word in any case, a full stop after it or not; anything else is unreadable.

    >>> parse(" Yes."), parse("no"), parse("Yes and no")
    (True, False, None)
    """
    return _WORDS.get(text.strip().rstrip(".").lower())


TASK = Task(
    prefix=PREFIX,
    record=Verdict,
    prompt=prompt,
    answer=answer,
    render=render,
    parse=parse,
    kind="verdict",
    metrics=("weighted_f1", "macro_f1", "accuracy"),
)
