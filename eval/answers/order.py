"""An order of numbered candidates."""

import re
from collections.abc import Iterator
from itertools import islice

from converters.tasks.ranking import Order
from eval.answers.base import WRAPPING, Kind

_ORDER = re.compile(r"\d{1,4}(?:[^\S\n]{0,3}[,>][^\S\n]{0,3}\d{1,4})+", re.ASCII)


def lenient(text: str) -> Iterator[str]:
    """Yield the list of numbers in a text, if there is exactly one."""
    yield text.strip(WRAPPING)
    lists = list(islice(_ORDER.finditer(text), 2))
    if len(lists) == 1:
        yield lists[0].group()


KIND = Kind(
    reason=lambda text: "not numbers of candidates",
    predictors=lambda examples: {"shown order": lambda e: Order(tuple(range(1, len(e.extra["gains"]) + 1)))},
    lenient=lenient,
)
