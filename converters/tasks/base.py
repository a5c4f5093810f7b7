"""What a task is: the prompt contract as a frozen record of functions.

The law ``parse(render(answer)) == answer`` is tested for every task and fixture, and checked for every row that is built.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from converters.schema import Message, Text


class RenderError(Exception):
    """A record that cannot become an example; the message is the reason that is counted."""


def with_texts(instruction: str, texts: Iterable[Text]) -> str:
    """Return a prompt: the instruction, then one labelled line per piece of product text."""
    parts = [instruction]
    for text in texts:
        parts += ("\n", text.label, ": ", text.text)
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Task:
    """One task: which records it takes, how they become a prompt and a target, and how an answer is read.

    ``parse`` returns ``None`` for an unreadable answer. ``settle`` takes what ``parse`` returned and the row's ``meta``, and
    returns what the answer means for that row: ``None`` if the row does not allow it. The reference settles as itself.
    ``kind`` names the kind of answer, a file of ``eval.answers``; ``metrics`` names functions of ``eval.metrics``, the headline
    first. ``history`` returns the turns before the prompt, ``meta`` what scoring needs beyond the target. ``style_of`` names the
    task that this one asks in another way: every source of that task feeds this one, too, where a mixture names it. ``walk``:
    the conversation is one question, each answer a step towards the last; a held-out row is asked turn by turn.
    """

    prefix: str
    record: type
    prompt: Callable[[Any], str]
    answer: Callable[[Any], Any]
    render: Callable[[Any], str]
    parse: Callable[[str], Any | None]
    kind: str
    metrics: tuple[str, ...]
    history: Callable[[Any], tuple[Message, ...]] = lambda record: ()
    meta: Callable[[Any], Mapping[str, Any]] = lambda record: {}
    settle: Callable[[Any, Mapping[str, Any]], Any | None] = lambda answer, meta: answer
    style_of: str = ""
    walk: bool = False
