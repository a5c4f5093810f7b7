"""The answer of the most similar training row, by cosine of TF-IDF vectors.

An attribute's value is that of the most similar product that was asked for it; a choice is the most similar row's answer that is
among the options. Citations are left out: they number the snippets of another row.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from converters.schema import Row
from eval.answers import kind_of
from eval.baselines import base
from eval.baselines.base import CANDIDATES, Baseline, Guess, Predict, Solved, Tell, text

NEIGHBOURS = 50  # that are looked at for an attribute, an option, or further candidates
ROUNDED = 5  # digits, so that the last bits of another machine make no other order
CHUNK = 64


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Index the training rows."""
    answers: list[Any] = []

    def texts() -> Iterator[str]:
        for row, answer in rows:
            answers.append(kind_of(row.task).portable(answer))
            yield text(row)

    vectorise, vectors = base.fit(texts())
    index = vectors.T.tocsr()

    def predict(asked: Sequence[Row]) -> Iterator[Guess | None]:
        done = 0
        for chunk in base.chunks(asked, CHUNK):
            scores = (vectorise([text(row) for row in chunk]) @ index).toarray().round(ROUNDED)
            for row, line in zip(chunk, scores, strict=True):
                yield _guess(row, [answers[place] for place in nearest(line)])
            done += len(chunk)
            tell(f"{done:,} of {len(asked):,} rows")

    return predict


def nearest(scores: Any) -> list[int]:
    """Return the places of the highest scores above 0, best first; of equal ones the first comes first.

    >>> nearest(np.array([0.1, 0.7, 0.0, 0.1]))
    [1, 0, 3]
    """
    least = np.partition(scores, -NEIGHBOURS)[-NEIGHBOURS] if len(scores) > NEIGHBOURS else 0
    places = np.flatnonzero((scores >= least) & (scores > 0))
    return [int(place) for place in places[np.argsort(-scores[places], kind="stable")][:NEIGHBOURS]]


def _guess(row: Row, near: Sequence[Any]) -> Guess | None:
    extra = row.extra
    if "gains" in extra or not near:
        return None
    if "attributes" in extra:
        names = extra["attributes"]
        return Guess({name: next((answer[name] for answer in near if name in answer), ()) for name in names})
    if "options" in extra:
        options = (Guess(answer) for answer in near if answer in extra["options"])
        return next(options, None)
    paths = tuple(dict.fromkeys(near))[:CANDIDATES] if kind_of(row.task).ranked else ()
    return Guess(near[0], paths)


BASELINE = Baseline(fit, settings={"words": base.WORDS, "neighbours": NEIGHBOURS})
