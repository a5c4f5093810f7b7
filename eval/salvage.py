"""A forgiving parse: what an answer most likely meant that its task cannot read as it stands.

It never counts for the score: it is scored apart, and labelled, to tell a model that cannot do the task from one that only
wraps its answers. It looks through code fences, quotation marks, words before and after, JSON that is a value and not a text,
citations in the middle of an answer, and the abstention in other letters. What it finds must still pass the task's own parse.
Every step takes time in proportion to the text: a megabyte of brackets costs no more than a megabyte of words.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from converters.tasks.answer import ABSTENTION, Reply
from converters.tasks.base import Task

_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\n?")
_LABEL = re.compile(
    r"\b(?:answer|category(?: path)?|path|output|result|option)\b[^\S\n]{0,3}(?:is[^\S\n]{0,3})?:?[^\S\n]{0,3}", re.I
)
_ORDER = re.compile(r"\d{1,4}(?:[^\S\n]{0,3}[,>][^\S\n]{0,3}\d{1,4})+", re.ASCII)
_CITED = re.compile(r"[^\S\n]?\[(\d{1,4})\]", re.ASCII)
_YES_NO = re.compile(r"(yes|no)\b", re.I)
_WRAPPING = " \t\r\n`\"'*_.()[]{}“”"
_OBJECTS = 8


def salvage(task: Task, prediction: Any, said: Any | None, meta: Mapping[str, Any]) -> Any | None:
    """Return what an answer means to a forgiving reader; ``said``, what the task read, where that is the same.

    >>> from converters import tasks
    >>> salvage(tasks.get("attributes"), 'Sure! ```json\\n{"Size": "L"}\\n```', None, {})
    {'Size': ('L',)}
    >>> salvage(tasks.get("yes_no"), "Yes, it does.", None, {}), salvage(tasks.get("yes_no"), "Hardly", None, {})
    (True, None)
    >>> salvage(tasks.get("answer"), "Yes [2], it does.", Reply("Yes [2], it does."), {})
    Reply(text='Yes, it does.', cited=(2,))
    """
    if isinstance(said, Reply):
        return _reply(said)
    if said is not None:
        return said
    text = prediction if isinstance(prediction, str) else _written(prediction)
    for found in _readings(text, task):
        answer = task.parse(found)
        settled = None if answer is None else task.settle(answer, meta)
        if settled is not None:
            return settled
    return None


def _written(prediction: Any) -> str:
    """Return a JSON object that stood where its text was expected; nothing for any other value."""
    try:
        return msgspec.json.encode(prediction).decode() if isinstance(prediction, dict) else ""
    except RecursionError:
        return ""


def _reply(said: Reply) -> Reply:
    cited = tuple(sorted({*said.cited, *map(int, _CITED.findall(said.text or ""))}))
    text = _CITED.sub("", said.text or "").strip()
    if not text or _plain(text) == _plain(ABSTENTION):
        return Reply(None) if text or said.text is None else said
    return Reply(text, cited)


def _plain(text: str) -> str:
    return text.casefold().strip(_WRAPPING)


def _readings(text: str, task: Task) -> Iterator[str]:
    """Yield what may be meant, likeliest first."""
    fenced = _FENCE.split(text)[1::2]
    for part in (*islice(fenced, _OBJECTS), text):
        yield part
        yield from FORMS.get(task.parse.__module__.rsplit(".", 1)[-1], _lines)(part)


def _lines(text: str) -> Iterator[str]:
    """Yield the first line and the last, without what wraps them, and what follows a label such as "Answer:"."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in dict.fromkeys(lines[:1] + lines[-1:]):
        yield line.strip(_WRAPPING)
        if label := _LABEL.search(line[:1000]):
            yield line[label.end() :].strip(_WRAPPING)


def _objects(text: str) -> Iterator[str]:
    """Yield the JSON objects that start at the first braces; one inside another is no answer of its own."""
    decode, end = json.JSONDecoder(), 0
    for _ in range(_OBJECTS):
        at = text.find("{", end)
        if at < 0:
            return
        try:
            _, end = decode.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
            continue
        yield text[at:end]


def _orders(text: str) -> Iterator[str]:
    """Yield the one list of numbers in a text, if there is one only."""
    yield text.strip(_WRAPPING)
    found = list(islice(_ORDER.finditer(text), 2))
    if len(found) == 1:
        yield found[0].group()


def _verdicts(text: str) -> Iterator[str]:
    for line in _lines(text):
        if found := _YES_NO.match(line):
            yield found[1]


def _nothing(text: str) -> Iterator[str]:
    """Yield nothing: any text but an empty one is an answer."""
    return iter(())


FORMS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "attributes": _objects,
    "ranking": _orders,
    "yes_no": _verdicts,
    "answer": _nothing,
    "general": _nothing,
}
