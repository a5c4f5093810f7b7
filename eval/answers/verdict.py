"""Yes or no."""

import re
from collections.abc import Iterator, Mapping, Sequence

from converters.examples import Row
from converters.tasks import yes_no
from eval.answers.base import Kind, Limit, Predictor, lines, one_of
from eval.metrics.base import Example

_WORD = re.compile(r"(yes|no)\b", re.I)


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the two that never look."""
    return {"always yes": lambda _: True, "always no": lambda _: False}


def lenient(text: str) -> Iterator[str]:
    """Yield the word that a line begins with."""
    for line in lines(text):
        if word := _WORD.match(line):
            yield word[1]


def limit(row: Row, paths: Sequence[str]) -> Limit:
    """Return the two words."""
    return one_of(map(yes_no.render, (True, False)))


KIND = Kind(why=lambda _: "neither yes nor no", predictors=predictors, lenient=lenient, limit=limit)
