"""An order of numbered candidates."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from converters.tasks.ranking import Order
from eval.answers.base import WRAPPING, Kind

_ITEM = r"(?:[#\[(]|(?:product|candidate|item|option)[^\S\n]{0,3}#?)?\d{1,4}[\])]?"
_ORDER = re.compile(
    rf"{_ITEM}(?:[^\S\n]{{0,3}}(?:[,>;→、،]|,?[^\S\n]{{0,3}}\band\b)[^\S\n]{{0,3}}{_ITEM})+", re.ASCII | re.I
)
_LINE = re.compile(rf"[^\S\n]*(?:\d{{1,3}}[.)]|[-*])[^\S\n]*({_ITEM})[^\S\n]*", re.ASCII | re.I)  # "1. Product 3"
_LETTERS = re.compile(r"[A-Z](?:\s*[,>;]\s*[A-Z])+")
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
LINES = 100  # most lines of an order with one candidate in each


def lenient(text: str) -> Iterator[str]:
    """Yield the list of candidates in a text, if there is exactly one: numbers in a row, a number a line, or letters in a row."""
    yield text.strip(WRAPPING)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    lists = list(islice(_ORDER.finditer(text), 2))
    if len(lists) == 1:
        yield ", ".join(_NUMBER.findall(lists[0].group()))
    lines = [line for line in text.splitlines() if line.strip()]
    found = [_LINE.fullmatch(line) for line in lines[:LINES]]
    if len(lines) <= LINES and len(found) > 1 and all(found):
        yield ", ".join(number for line in found if line for number in _NUMBER.findall(line[1]))
    if _LETTERS.fullmatch(bare := text.strip(WRAPPING)):
        yield ", ".join(str(ord(letter) - 64) for letter in bare if letter.isalpha())


KIND = Kind(
    reason=lambda text: "not numbers of candidates",
    predictors=lambda examples: {"shown order": lambda e: Order(tuple(range(1, len(e.extra["gains"]) + 1)))},
    lenient=lenient,
)
