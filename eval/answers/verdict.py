"""Yes or no."""

import re
from collections.abc import Iterator

from eval.answers.base import Kind, Texts, lines

_WORD = re.compile(r"(yes|no)\b", re.I)


def lenient(text: str) -> Iterator[str]:
    """Yield the yes or no that a line begins with."""
    for line in lines(text):
        if word := _WORD.match(line):
            yield word[1]


KIND = Kind(
    reason=lambda text: "neither yes nor no",
    predictors=lambda examples: {"always yes": lambda _: True, "always no": lambda _: False},
    lenient=lenient,
    limit=lambda row, paths: Texts(("yes", "no")),
)
