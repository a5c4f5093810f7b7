"""``[CLASSIFY]``: the numbered candidates of a query, most relevant first."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converters.schema import Ranking
from converters.tasks.base import Task

PREFIX = "[CLASSIFY]"
_BETWEEN = re.compile(r"[\s,>]+")
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Order:
    """The 1-based numbers of candidates, each at most once, most relevant first."""

    numbers: tuple[int, ...]


def prompt(record: Ranking) -> str:
    """Return the instruction, the query, then one numbered line per candidate."""
    lines = [f"{PREFIX} Order the products by relevance to the query, such as: 2, 3, 1", f"Query: {record.query}"]
    return "\n".join([*lines, *(f"{number}: {text}" for number, text in enumerate(record.candidates, 1))])


def answer(record: Ranking) -> Order:
    """Return the candidates by gain, highest first; of equal ones the first shown comes first."""
    return by_gain(record.gains)


def by_gain(gains: tuple[float, ...]) -> Order:
    """Return the best order of candidates with these gains.

    >>> by_gain((0.1, 1.0, 0.0, 1.0))
    Order(numbers=(2, 4, 1, 3))
    """
    return Order(tuple(sorted(range(1, len(gains) + 1), key=lambda number: -gains[number - 1])))


def render(order: Order) -> str:
    """Write an order.

    >>> render(Order((2, 4, 1, 3)))
    '2, 4, 1, 3'
    """
    return ", ".join(map(str, order.numbers))


def parse(text: str) -> Order | None:
    """Read numbers between commas, spaces or ``>``; a repeated one counts the first time only.

    >>> parse("2 > 4 > 2 > 1")
    Order(numbers=(2, 4, 1))
    >>> parse("Product 2 first") is None and parse("") is None
    True
    """
    words = _BETWEEN.split(text.strip())
    return Order(tuple(dict.fromkeys(map(int, words)))) if all(map(_NUMBER.fullmatch, words)) else None


def settle(order: Order, meta: Mapping[str, Any]) -> Order | None:
    """Return the order, or ``None`` if no number in it is a candidate's."""
    count = len(meta.get("gains", ()))
    return order if any(1 <= number <= count for number in order.numbers) else None


def meta(record: Ranking) -> Mapping[str, Any]:
    """Return the gains of all candidates in the order shown, so that a missing one counts against the answer."""
    return {"gains": list(record.gains)}


TASK = Task(PREFIX, Ranking, prompt, answer, render, parse, kind="order", metrics=("ndcg",), meta=meta, settle=settle)
