"""``[CLASSIFY]``: a question about products that is answered by yes or no."""

from operator import attrgetter

from converters.schema import Verdict
from converters.tasks.base import Task, with_texts

PREFIX = "[CLASSIFY]"
_WORDS = {"yes": True, "no": False}


def prompt(record: Verdict) -> str:
    """Return the instruction, then one labelled line per piece of product text."""
    return with_texts(f"{PREFIX} {record.question} Answer yes or no.", record.texts)


def render(verdict: bool) -> str:
    """Write one word.

    >>> render(True), render(False)
    ('yes', 'no')
    """
    return "yes" if verdict else "no"


def parse(text: str) -> bool | None:
    """Read one word in any case, with or without a full stop; anything else is unreadable.

    >>> parse(" Yes."), parse("no"), parse("Yes and no")
    (True, False, None)
    """
    return _WORDS.get(text.strip().rstrip(".").lower())


METRICS = (
    "weighted_f1", "macro_f1", "accuracy", "yes_f1", "yes_precision", "yes_recall", "macro_precision", "macro_recall",
)  # fmt: skip
TASK = Task(PREFIX, Verdict, prompt, attrgetter("answer"), render, parse, kind="verdict", metrics=METRICS)
