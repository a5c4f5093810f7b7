"""Reads a model's answer by its task, strictly or leniently, and says why one cannot be read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any

import msgspec

from converters import tasks
from converters.core.errors import InputError
from converters.schema import Row
from eval.answers import Kind, kind_of
from eval.metrics.base import Example
from eval.results.schema import Given, ScoredRow

LISTS = ("attributes", "references", "options", "candidates", "implicit")
RANKS = list[Annotated[int, msgspec.Meta(ge=1)]]
NUMBERS = list[Annotated[float, msgspec.Meta(ge=0)]]
SHORT = 1000  # characters; longer texts are not kept to be read once only
_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def example(row: Row, given: Given, with_prompt: bool = True) -> Example:
    """Return a row and its answer as metrics take it; gold that its task cannot read is an :class:`InputError`."""
    meta = meta_of(row.id, row.meta)
    gold = read(row.task, row.target, meta)
    if gold is None:
        raise InputError(
            f"row {row.id!r}: found {row.target[:60]!r}, expected a target that task {row.task!r} can read"
        )
    said, ranked = read(row.task, given.prediction, meta), _ranked(row.task, given.candidates, meta)
    prompt = shown(row) if with_prompt else ""
    return Example(row.id, row.group, gold, said, meta, prompt, ranked, given.judged, kind_of(row.task))


def of_scored(row: ScoredRow) -> Example:
    """Return a scored row as metrics take it."""
    meta = meta_of(row.id, row.meta)
    gold, said = (read(row.task, text, meta) for text in (row.gold, row.prediction))
    ranked = _ranked(row.task, row.candidates, meta)
    return Example(row.id, row.group, gold, said, meta, row.prompt, ranked, row.judged, kind_of(row.task))


def shown(row: Row) -> str:
    """Return all that the model is given, as one text."""
    return "\n\n".join(turn.content for turn in row.messages[:-1])


def _ranked(task: str, candidates: Sequence[Any], meta: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the candidates, each text once; one that is unreadable or means what an earlier one does is ``None``."""
    found: list[Any] = []
    for text in dict.fromkeys(text for text in candidates if isinstance(text, str)):
        answer = read(task, text, meta)
        found.append(None if answer in found else answer)
    return tuple(found)


def read(task: str, text: Any, meta: Mapping[str, Any]) -> Any | None:
    """Return an answer as its task and its row read it, ``None`` if they cannot."""
    if not isinstance(text, str):
        return None
    said = _parsed(task, text) if len(text) < SHORT else tasks.get(task).parse(text)
    return None if said is None else tasks.get(task).settle(said, meta)


@lru_cache(maxsize=1 << 16)
def _parsed(task: str, text: str) -> Any | None:
    return tasks.get(task).parse(text)  # equal texts share one answer: a million rows have a few thousand categories


def meta_of(id_: str, text: str) -> Mapping[str, Any]:
    """Return a row's meta; what is no JSON object, or not of its form, is an :class:`InputError`."""
    try:
        return _meta(text) if len(text) < SHORT else _meta.__wrapped__(text)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        expected = f"a JSON object in which {', '.join(LISTS)} are lists of texts, gains and relevant_ranks of numbers"
        raise InputError(f"row {id_!r}: found meta {text[:60]!r}, expected {expected}") from error


@lru_cache(maxsize=1 << 16)
def _meta(text: str) -> Mapping[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    msgspec.convert([found.get(name, []) for name in LISTS], list[list[str]])
    msgspec.convert(found.get("gains", []), NUMBERS)
    msgspec.convert(found.get("relevant_ranks", []), RANKS)
    return found


def why(task: str, prediction: Any, meta: Mapping[str, Any]) -> str:
    """Say why an answer is invalid, in few words that can be counted; "" for one that can be read.

    >>> [why("attributes", said, {}) for said in (None, " ", "Brand: Acme", "[1]", '{"a": 1, "a": 2}', '{"a": {}}')]
    ['no text but null', 'empty', 'not JSON', 'no JSON object', 'an attribute named twice', 'a value of another kind']
    >>> why("choice", "C", {"options": ["x"]}), why("category", "a > > b", {}), why("yes_no", "maybe", {})
    ('not one of the options', 'an empty name in the path', 'neither yes nor no')
    """
    if read(task, prediction, meta) is not None:
        return ""
    if not isinstance(prediction, str):
        return f"no text but {_KINDS.get(type(prediction), 'null')}"
    if not prediction.strip():
        return "empty"
    return kind_of(task).why(prediction)


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
