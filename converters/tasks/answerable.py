"""``[QA]``: whether the numbered snippets answer the question, yes or no."""

from operator import attrgetter

from converters.schema import Answerable
from converters.tasks import yes_no
from converters.tasks.answer import PREFIX, numbered
from converters.tasks.base import Task


def prompt(record: Answerable) -> str:
    """Return the instruction, the question, then the numbered snippets."""
    return f"{PREFIX} Do the snippets answer the question? Answer yes or no.\n{numbered(record)}"


METRICS = ("macro_f1", "unanswerable_f1", "accuracy", "has_answer_accuracy", "has_none_accuracy")
TASK = Task(
    PREFIX, Answerable, prompt, attrgetter("answer"), yes_no.render, yes_no.parse, kind="verdict", metrics=METRICS
)
