"""No prefix: general instructions, mixed in against forgetting."""

from converters.schema import Chat, Message
from converters.tasks.base import Task


def prompt(record: Chat) -> str:
    """Return the last user turn."""
    return record.turns[-2].content


def history(record: Chat) -> tuple[Message, ...]:
    """Return the turns before the last user turn."""
    return record.turns[:-2]


def answer(record: Chat) -> str:
    """Return the last assistant turn."""
    return record.turns[-1].content


def parse(text: str) -> str | None:
    """Read the answer; an empty one is unreadable.

    >>> parse(" Paris. ")
    'Paris.'
    """
    return text.strip() or None


METRICS = ("rouge_l", "exact_match", "semantic_f1", "bert_score_f1")
TASK = Task("", Chat, prompt, answer, str, parse, kind="text", metrics=METRICS, history=history)
