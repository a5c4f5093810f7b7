"""What a task is: the prompt contract as a frozen record of functions.

Law, tested over every task and every fixture and checked again for every row that is built: ``parse(render(a)) == a``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from converters.schema import Message


class RenderError(Exception):
    """A record that cannot become an example; the text is the reason that gets counted."""


def no_history(record: Any) -> tuple[Message, ...]:
    """Return no earlier turns: the task's prompt is the whole conversation."""
    return ()


def no_meta(record: Any) -> Mapping[str, Any]:
    """Return nothing: scoring needs no more than the target."""
    return {}


def as_said(answer: Any, meta: Mapping[str, Any]) -> Any | None:
    """Return the answer as it is: the task's row sets it no limits."""
    return answer


@dataclass(frozen=True, slots=True)
class Task:
    """One task: which records it takes and how they become text and come back.

    ``parse`` returns ``None`` for an unreadable answer. ``settle`` takes what ``parse`` returned and the row's ``meta``, and
    returns what it means there: ``None`` if it is outside what the row allows. Gold settles as itself.
    ``kind`` names the kind of answer, a file of ``eval.answers``, and ``metrics`` names functions of ``eval.metrics``; the first
    is the headline. ``style_of`` names the task that this is another way to ask: whatever source feeds that one can feed this
    one, too, where a mix names it. ``walk``: the conversation is one question, each answer a step towards the last; a held-out
    row is asked turn by turn.
    """

    prefix: str
    record: type
    prompt: Callable[[Any], str]
    answer: Callable[[Any], Any]
    render: Callable[[Any], str]
    parse: Callable[[str], Any | None]
    kind: str
    metrics: tuple[str, ...]
    history: Callable[[Any], tuple[Message, ...]] = no_history
    meta: Callable[[Any], Mapping[str, Any]] = no_meta
    settle: Callable[[Any, Mapping[str, Any]], Any | None] = as_said
    style_of: str = ""
    walk: bool = False
