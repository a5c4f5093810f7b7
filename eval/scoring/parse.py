"""Reads a model's answer by its task, strictly or leniently, and says why one cannot be read."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Annotated, Any

import msgspec

from converters import tasks
from converters.core.errors import InputError
from converters.core.unicode import all_composed, composed
from converters.schema import Row
from eval.answers import kind_of
from eval.metrics.base import Example
from eval.results.schema import Output

SHORT = 1000  # characters; what is read of longer texts is not kept
FENCED = 8  # most code blocks of a text that are tried
_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\n?")
_TYPES = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


class _Meta(msgspec.Struct):
    """What scoring takes from a row's meta."""

    attributes: list[str] = []
    references: list[str] = []
    options: list[str] = []
    candidates: list[str] = []
    implicit: list[str] = []
    gains: list[Annotated[float, msgspec.Meta(ge=0)]] = []
    relevant_ranks: list[Annotated[int, msgspec.Meta(ge=1)]] = []


def example(row: Row, output: Output, with_prompt: bool = True) -> Example:
    """Return a row and its answer as metrics take it; gold that its task cannot read is an :class:`InputError`."""
    meta = meta_of(row.id, row.meta)
    gold, answer = (read(row.task, text, meta) for text in (row.target, output.prediction))
    if gold is None:
        raise unreadable(row)
    prompt, order = prompt_text(row) if with_prompt else "", ranked(row.task, output.candidates, meta)
    return Example(row.id, row.group, gold, answer, meta, prompt, order, output.judged, kind_of(row.task))


def unreadable(row: Row) -> InputError:
    """Return the error of a row whose gold its task cannot read."""
    expected = f"a target that task {row.task!r} can read"
    return InputError(f"row {row.id!r}: found {row.target[:60]!r}, expected {expected}")


def prompt_text(row: Row) -> str:
    """Return all that the model is given, as one text."""
    return "\n\n".join(turn.content for turn in row.messages[:-1])


def ranked(task: str, candidates: Sequence[Any], meta: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the candidates, each text once; one that is unreadable or equals an earlier one is ``None``."""
    order: list[Any] = []
    for text in dict.fromkeys(text for text in candidates if isinstance(text, str)):
        answer = read(task, text, meta)
        order.append(None if answer in order else answer)
    return tuple(order)


def read(task: str, text: Any, meta: Mapping[str, Any]) -> Any | None:
    """Return an answer as its task and its row read it, ``None`` if they cannot; its texts come composed (NFC)."""
    if not isinstance(text, str):
        return None
    answer = _parsed(task, text) if len(text) < SHORT else _parsed.__wrapped__(task, text)
    return None if answer is None else tasks.get(task).settle(answer, meta)


@lru_cache(maxsize=1 << 16)
def _parsed(task: str, text: str) -> Any | None:
    # Equal texts share one answer: a million rows have a few thousand categories.
    return all_composed(tasks.get(task).parse(composed(text)))


def meta_of(id_: str, text: str) -> Mapping[str, Any]:
    """Return a row's meta; what is no JSON object, or not of the form of :class:`_Meta`, is an :class:`InputError`."""
    try:
        return _meta(text) if len(text) < SHORT else _meta.__wrapped__(text)
    except (msgspec.DecodeError, RecursionError) as error:
        *texts, gains, ranks = _Meta.__struct_fields__
        expected = f"a JSON object in which {', '.join(texts)} are lists of texts, {gains} and {ranks} of numbers"
        raise InputError(f"row {id_!r}: found meta {text[:60]!r}, expected {expected}") from error


@lru_cache(maxsize=1 << 16)
def _meta(text: str) -> Mapping[str, Any]:
    msgspec.json.decode(text, type=_Meta)
    return dict(all_composed(msgspec.json.decode(text, type=dict[str, Any])))


def reason(task: str, prediction: Any, meta: Mapping[str, Any]) -> str:
    """Say why an answer is invalid, in a few words that can be counted; "" for one that can be read."""
    if read(task, prediction, meta) is not None:
        return ""
    if not isinstance(prediction, str):
        return f"no text but {_TYPES.get(type(prediction), 'null')}"
    return kind_of(task).reason(prediction) if prediction.strip() else "empty"


def salvage(task: str, prediction: Any, answer: Any | None, meta: Mapping[str, Any], gold: Any = None) -> Any | None:
    """Return what a lenient parse makes of a prediction; ``answer`` is what the task itself reads.

    Of ``gold`` counts alone where several values are expected.
    """
    kind = kind_of(task)
    read = _salvaged(task, prediction, meta) if answer is None else kind.forgive(answer)
    return read if read is None or gold is None else kind.spread(read, gold)


def _salvaged(task: str, prediction: Any, meta: Mapping[str, Any]) -> Any | None:
    kind, rules = kind_of(task), tasks.get(task)
    if isinstance(prediction, dict):  # a JSON object where its text was expected
        prediction = msgspec.json.encode(prediction).decode()
    text = composed(prediction) if isinstance(prediction, str) else ""
    for part in (*islice(_FENCE.split(text)[1::2], FENCED), text):
        for reading in chain([part], kind.lenient(part), kind.listed(part, meta)):
            parsed = all_composed(rules.parse(reading))
            settled = None if parsed is None else rules.settle(parsed, meta)
            if settled is not None:
                return settled
    return None
