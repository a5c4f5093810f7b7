"""Attributes by look-up: the longest value that training has for the attribute and that stands in the product's text.

A value counts where it stands as whole words (anywhere, in scripts without blanks), in any case; the answer is the text's own
spelling, the first of equally long ones.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from converters.schema import Row
from converters.text.words import UNSPACED, fold, stands, tokens
from eval.baselines.base import Baseline, Guess, Predict, Solved, Tell, text

LONGEST = 16  # pieces (words and other signs) of a value; longer ones are not looked up
LETTERS = 48  # of a value in a script without blanks, where each is a piece
_UNSPACED = re.compile(f"[{UNSPACED}]")

Pieces = tuple[str, ...]


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Collect each attribute's values, by how many pieces they have."""
    values_of: dict[str, dict[int, set[Pieces]]] = defaultdict(lambda: defaultdict(set))
    for _, answer in rows:
        for name, values in answer.items():
            for value in map(pieces, values):
                if 0 < len(value) <= (LETTERS if any(map(_UNSPACED.match, value)) else LONGEST):
                    values_of[name][len(value)].add(value)

    def predict(asked: Sequence[Row]) -> Iterator[Guess]:
        for row in asked:
            lines, names = text(row).splitlines(), row.extra["attributes"]
            values = {name: [v for line in lines for v in _values(line, values_of.get(name, {}))] for name in names}
            yield Guess({name: (max(values[name], key=len),) if values[name] else () for name in names})

    return predict


def pieces(value: str) -> Pieces:
    """Return a value's words and other signs, in one case.

    >>> pieces("1.5 L")
    ('1', '.', '5', 'l')
    """
    return tuple(fold(value[start:end]) for start, end in tokens(value))


def _values(line: str, known: Mapping[int, set[Pieces]]) -> Iterator[str]:
    """Yield the known values that stand in a line, as it spells them."""
    words, spans = pieces(line), tokens(line)
    for place, (start, _) in enumerate(spans):
        for length in known:
            if words[place : place + length] in known[length]:
                end = spans[place + length - 1][1]
                if stands(line, start, end, numbers=False):
                    yield line[start:end]


BASELINE = Baseline(fit, ("record",), {"longest": LONGEST, "letters": LETTERS})
