"""``[QA]``: whether the numbered snippets answer the question, yes or no."""

from converters.schema import Answerable
from converters.tasks import yes_no
from converters.tasks.answer import PREFIX, numbered
from converters.tasks.base import Task


def prompt(record: Answerable) -> str:
    """Return the instruction, the question, then the numbered snippets."""
    return f"{PREFIX} Do the snippets answer the question? Answer yes or no.\n{numbered(record)}"


def answer(record: Answerable) -> bool:
    """Return the verdict."""
    return record.answer


TASK = Task(
    prefix=PREFIX,
    record=Answerable,
    prompt=prompt,
    answer=answer,
    render=yes_no.render,
    parse=yes_no.parse,
    kind="verdict",
    metrics=("macro_f1", "unanswerable_f1", "accuracy", "has_answer_accuracy", "has_none_accuracy"),
)
