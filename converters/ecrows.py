"""Rows of ECInstruct as they stand in its files: JSON or Python texts, options apart or folded in, tasks told or not."""

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from converters.raw.literals import literal
from converters.tasks.choice import letter
from converters.untrusted import one_line

_FOLDED = "\noptions: "
_NOTHING = {"", "nan", "none", "null"}
_KEYS = {
    ("query", "product title"): "Multiclass_Product_Classification",
    ("query", "product list"): "Query_Product_Rank",
    ("query", "product"): "Product_Substitute_Identification",
}


class Given(NamedTuple):
    """A row as far as it is used: its input's text, the value that this spells (keys in lower case), the options, the output."""

    text: str
    input: Any
    options: tuple[str, ...]
    output: str


def given(text: str, options: str | Sequence[str] | None, output: str) -> Given:
    """Return what a row gives; options come without their letters."""
    if not options and _FOLDED in text:
        text, _, options = text.rpartition(_FOLDED)
    found = value(text)
    found = {key.strip(" :").lower(): item for key, item in found.items()} if isinstance(found, dict) else found
    listed = value(options) if isinstance(options, str) else options
    return Given(text, found, tuple(unlettered(listed)) if isinstance(listed, list | tuple) else (), output)


def value(text: str) -> Any:
    """Return the JSON or Python value that a text spells, or the text: the dataset has both."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    for read in (json.loads, literal):
        try:
            return read(text)
        except (ValueError, RecursionError):
            continue
    return text


def unlettered(options: Iterable[Any]) -> Iterator[str]:
    """Yield the texts of options such as ``A: Very positive``.

    >>> list(unlettered(["A: Very positive", "C: Neutral"]))
    ['Very positive', 'C: Neutral']
    """
    for number, option in enumerate(options):
        yield plain_text(option).removeprefix(f"{letter(number)}: ")


def plain_text(value: Any) -> str:
    """Return a text on one line without HTML entities; what stands for nothing, such as ``NaN``, is empty.

    >>> plain_text(" Salt &amp; pepper"), plain_text("nan"), plain_text(float("nan"))
    ('Salt & pepper', '', '')
    """
    text = one_line(html.unescape(value)) if isinstance(value, str) else ""
    return "" if text.lower() in _NOTHING else text


def task(row: Given, instruction: str) -> str:
    """Return the task that a row's form is of, for files that do not name it; nothing for a row of no known form."""
    if isinstance(row.input, list):
        return "Sequential_Recommendation"
    if not isinstance(row.input, dict):
        return "Sentiment_Analysis" if row.options else ""
    if "target attributes" in row.input:
        return "Attribute_Value_Extraction"
    if "product 1" in row.input:
        return "Product_Relation_Prediction" if row.options else "Product_Matching"
    if "question" in row.input:
        asked = "yes" in instruction.lower() and row.output.strip().lower() in ("yes", "no")
        return "Answerability_Prediction" if asked else "Answer_Generation"
    return _KEYS.get(tuple(row.input), "")
