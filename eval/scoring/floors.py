"""What answering without reading would score: the real opponent of a run, since a random model scores 0.

Trivial predictors see the test gold (its majority, its attributes), which makes the floor higher, never lower.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from eval.metrics.base import Example


def answered(examples: Sequence[Example]) -> Iterator[tuple[str, list[Example]]]:
    """Yield, for each trivial predictor, its name and the examples with its answers: one at a time, for they may be a million.

    >>> from eval.answers import get
    >>> example = Example("1", "g", ("Home", "Mugs"), None, kind=get("path"))
    >>> [(name, answers[0].said) for name, answers in answered([example])]
    [('majority path', ('Home', 'Mugs')), ('depth-1 majority', ('Home',))]
    """
    for name, predict in examples[0].kind.predictors(examples).items():
        yield name, [replace(example, said=predict(example), ranked=()) for example in examples]
