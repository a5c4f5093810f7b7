"""``[CLASSIFY]``: one of the listed options. The target is the option's full text, which means the same whatever its letter."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from converters.schema import Choice
from converters.tasks.base import Task

PREFIX = "[CLASSIFY]"
_LETTERED = re.compile(r"\(?([A-Za-z]{1,2})(?:[:.)](?:\s+(.*))?)?", re.DOTALL)


def letter(number: int) -> str:
    """Return the name of the option at a place, counted from 0.

    >>> [letter(number) for number in (0, 25, 26, 51, 52, 701)]
    ['A', 'Z', 'AA', 'AZ', 'BA', 'ZZ']
    """
    return chr(65 + number) if number < 26 else letter(number // 26 - 1) + letter(number % 26)


def prompt(record: Choice) -> str:
    """Return the instruction, one lettered line per option, then one labelled line per piece of product text."""
    texts = [f"{t.label}: {t.text}" for t in record.texts]
    return "\n".join([f"{PREFIX} {record.question} Answer with one option.", *listed(record.options), *texts])


def listed(options: Iterable[str]) -> list[str]:
    """Return the lines of the options."""
    return [f"{letter(number)}: {option}" for number, option in enumerate(options)]


def answer(record: Choice) -> str:
    """Return the right option."""
    return record.answer


def render(option: str) -> str:
    """Write the option as it is listed, without its letter."""
    return option


def parse(text: str) -> str | None:
    """Read one line; which option it means is for :func:`settle` to say.

    >>> parse(" Substitute ")
    'Substitute'
    >>> parse("A, since\\nit fits") is None
    True
    """
    text = text.strip()
    return text if len(text.splitlines()) == 1 else None


def settle(said: str, meta: Mapping[str, Any]) -> str | None:
    """Return the option that an answer names by its text, its letter, or both; ``None`` if it names none, or two.

    >>> meta = {"options": ["Exact match", "Substitute"]}
    >>> [settle(said, meta) for said in ("substitute.", "B", "B: Substitute", "A: Substitute", "C", "Complement")]
    ['Substitute', 'Substitute', 'Substitute', None, None, None]
    """
    options: list[str] = meta.get("options", [])
    alike = {said} & {*options} or {option for option in options if _loose(option) == _loose(said)}
    if alike:
        return alike.pop() if len(alike) == 1 else None
    found = _LETTERED.fullmatch(said)
    named = {letter(number): option for number, option in enumerate(options)}.get(found[1].upper()) if found else None
    agrees = found and named and (not found[2] or _loose(found[2]) == _loose(named))
    return named if agrees else None


def _loose(text: str) -> str:
    return text.casefold().rstrip(" .")


def meta(record: Choice) -> Mapping[str, Any]:
    """Return the options, so that a label outside them is no answer."""
    return {"options": list(record.options)}


TASK = Task(
    prefix=PREFIX,
    record=Choice,
    prompt=prompt,
    answer=answer,
    render=render,
    parse=parse,
    kind="choice",
    meta=meta,
    settle=settle,
    metrics=("weighted_f1", "macro_f1", "accuracy"),
)
