"""A forgiving parse: what an answer most likely meant that its task cannot read as it stands.

It never counts for the score: it is scored apart, and labelled, to tell a model that cannot do the task from one that only
wraps its answers. It looks through code fences, JSON that is a value and not a text, and what the kind of answer allows. What it
reads must still pass the task's own parse.
Every step takes time in proportion to the text: a megabyte of brackets costs no more than a megabyte of words.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from converters import tasks
from eval.answers import Kind, kind_of

_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\n?")
FENCED = 8  # blocks that are tried


def salvage(task: str, prediction: Any, said: Any | None, meta: Mapping[str, Any]) -> Any | None:
    """Return what an answer means to a forgiving reader; ``said``, what the task read, where that is the same.

    >>> salvage("attributes", 'Sure! ```json\\n{"Size": "L"}\\n```', None, {})
    {'Size': ('L',)}
    >>> salvage("yes_no", "Yes, it does.", None, {}), salvage("yes_no", "Hardly", None, {})
    (True, None)
    """
    kind, rules = kind_of(task), tasks.get(task)
    if said is not None:
        return kind.forgive(said)
    text = prediction if isinstance(prediction, str) else _written(prediction)
    for reading in _readings(text, kind):
        answer = rules.parse(reading)
        settled = None if answer is None else rules.settle(answer, meta)
        if settled is not None:
            return settled
    return None


def _written(prediction: Any) -> str:
    """Return a JSON object that stood where its text was expected; nothing for any other value."""
    try:
        return msgspec.json.encode(prediction).decode() if isinstance(prediction, dict) else ""
    except RecursionError:
        return ""


def _readings(text: str, kind: Kind) -> Iterator[str]:
    """Yield what may be meant, likeliest first."""
    for part in (*islice(_FENCE.split(text)[1::2], FENCED), text):
        yield part
        yield from kind.lenient(part)
