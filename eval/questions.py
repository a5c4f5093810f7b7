"""Test rows to prompts, and answers to predictions.

A row of a walk (category_levels) is asked turn by turn, each time with the right answers to the earlier turns. Its prediction is
the first wrong answer, or the last one: there a walk on its own answers would leave the path.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from converters import tasks
from converters.examples import gold
from converters.schema import Row
from eval.backends.base import Answer


def questions(row: Row) -> dict[str, Row]:
    """Return the prompts of a row by key: the row itself, or for a walk one row that ends with each answer."""
    if not tasks.get(row.task).walk:
        return {row.id: row}
    ends = (number for number, turn in enumerate(row.messages, 1) if turn.role == "assistant")
    return {f"{row.id}\0{end}": msgspec.structs.replace(row, messages=row.messages[:end]) for end in ends}


def said(turns: Mapping[str, Row], done: Mapping[str, Answer]) -> str | None:
    """Return a row's prediction: its first wrong answer, or the last."""
    answers = [(done[key].prediction, row) for key, row in turns.items()]
    wrong = (text for text, row in answers if text is None or tasks.get(row.task).parse(text) != gold(row))
    return next(wrong, answers[-1][0])


def several(task: str) -> bool:
    """Tell whether ranked candidates make sense for a task: it picks one class in one turn."""
    return "accuracy" in tasks.get(task).metrics and not tasks.get(task).walk


def candidates(row: Row, prediction: str, further: Sequence[str], count: int) -> list[str]:
    """Return at most ``count`` answers, the prediction first, then further ones as ranked, each meaning once.

    >>> from converters.examples import Turn
    >>> row = Row(id="1", group="1", task="category", source="s", messages=[Turn("user", "?"), Turn("assistant", "Home")])
    >>> candidates(row, "Home > Mugs", [" Home>Mugs", "Home > Pans", "Home >", "Car"], 3)
    ['Home > Mugs', 'Home > Pans', 'Home >']
    """
    distinct: dict[Any, str] = {}
    for text in [prediction, *further]:
        distinct.setdefault(_meaning(row, text), text)
    return list(distinct.values())[:count]


def _meaning(row: Row, text: str) -> tuple[bool, str]:
    task = tasks.get(row.task)
    read = task.parse(text)
    settled = None if read is None else task.settle(read, row.extra)
    return (False, text.strip()) if settled is None else (True, repr(settled))
