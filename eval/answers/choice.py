"""One of the options that a row lists, by its text."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converters.tasks.choice import letter
from eval.answers import base
from eval.answers.base import Kind, Labels, Predictor, Route, Times, frequencies
from eval.metrics.base import Example

LEARNT = (
    256  # most options that a classifier learns, the commonest ones: it holds a weight for each of them and each word
)
OFTEN = 3  # times that an option must have been right to be learnt: those of a single row teach nothing


def reason(text: str) -> str:
    """Say why a text is not one of the options."""
    return "more than one line" if len(text.strip().splitlines()) > 1 else "not one of the options"


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the two blind guesses: the option that is right most often, and the letter that is.

    Options that differ from row to row have no majority, but their order may give the answer away.
    """
    option = base.commonest(e.gold for e in examples)
    place = base.commonest(e.extra["options"].index(e.gold) for e in examples)
    return {
        "majority option": lambda e: option if option in e.extra["options"] else None,
        f"always {letter(place)}": lambda e: e.extra["options"][place] if place < len(e.extra["options"]) else None,
    }


def labels(examples: Sequence[Example], times: Times | None) -> Labels:
    """Return slices by the option's frequency and by whether it occurs in training."""
    return {"frequency": frequencies([e.gold for e in examples], times), **base.seen_answers(examples, times)}


def routes(counts: Counter[Any]) -> dict[Any, Route]:
    """Return the options that are worth learning."""
    return {option: (option,) for option, times in counts.most_common(LEARNT) if times >= OFTEN}


def lenient(text: str) -> Iterator[str]:
    """Yield the lines that may name an option, and a letter and a text that have a comma between them."""
    for line in base.lines(text):
        yield line
        letter, comma, option = line.partition(",")
        if comma:
            yield f"{letter.strip(base.WRAPPING)}: {option.strip(base.WRAPPING)}"


KIND = Kind(
    reason=reason,
    lenient=lenient,
    predictors=predictors,
    limit=lambda row, paths: base.one_of(row.extra.get("options", ())),
    labels=labels,
    routes=routes,
)
