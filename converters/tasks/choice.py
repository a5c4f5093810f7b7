"""``[CLASSIFY]``: one of the listed options. The target is the option's full text, which does not depend on its letter."""

import re
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

from converters.schema import Choice
from converters.tasks.base import Task, with_texts

PREFIX = "[CLASSIFY]"
_LETTERED = re.compile(r"\(?([A-Za-z]{1,2})(?:[:.)](?:\s+(.*))?)?", re.DOTALL)


def letter(number: int) -> str:
    """Return the letter of the option at a place, counted from 0.

    >>> [letter(number) for number in (0, 25, 26, 51, 52, 701)]
    ['A', 'Z', 'AA', 'AZ', 'BA', 'ZZ']
    """
    return chr(65 + number) if number < 26 else letter(number // 26 - 1) + letter(number % 26)


def prompt(record: Choice) -> str:
    """Return the instruction, one lettered line per option, then one labelled line per piece of product text."""
    instruction = f"{PREFIX} {record.question} Answer with one option."
    return with_texts("\n".join([instruction, *listed(record.options)]), record.texts)


def listed(options: Iterable[str]) -> list[str]:
    """Return the lines of the options."""
    return [f"{letter(number)}: {option}" for number, option in enumerate(options)]


def parse(text: str) -> str | None:
    """Read one line; :func:`settle` says which option it means.

    >>> parse(" Substitute ")
    'Substitute'
    >>> parse("A, since\\nit fits") is None
    True
    """
    text = text.strip()
    return text if len(text.splitlines()) == 1 else None


def settle(answer: str, meta: Mapping[str, Any]) -> str | None:
    """Return the option that an answer names by its text, its letter, or both; ``None`` if it names none, or two.

    >>> meta = {"options": ["Exact match", "Substitute"]}
    >>> [settle(answer, meta) for answer in ("substitute.", "B", "B: Substitute", "A: Substitute", "C", "Complement")]
    ['Substitute', 'Substitute', 'Substitute', None, None, None]
    """
    options: list[str] = meta.get("options", [])
    alike = {answer} & {*options} or {option for option in options if _loose(option) == _loose(answer)}
    if alike:
        return alike.pop() if len(alike) == 1 else None
    parts = _LETTERED.fullmatch(answer)
    option = {letter(number): option for number, option in enumerate(options)}.get(parts[1].upper()) if parts else None
    agrees = parts and option and (not parts[2] or _loose(parts[2]) == _loose(option))
    return option if agrees else None


def _loose(text: str) -> str:
    return text.casefold().rstrip(" .")


def meta(record: Choice) -> Mapping[str, Any]:
    """Return the options: an answer that names none of them counts as unreadable."""
    return {"options": list(record.options)}


METRICS = ("weighted_f1", "macro_f1", "accuracy", "macro_precision", "macro_recall", "macro_f1_gold_and_said")
TASK = Task(
    PREFIX, Choice, prompt, attrgetter("answer"), str, parse, kind="choice", metrics=METRICS, meta=meta, settle=settle
)
