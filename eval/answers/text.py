"""Free text."""

from collections.abc import Mapping, Sequence

from converters.examples import Row
from eval.answers.base import Kind, Predictor, nothing, seen_answers
from eval.metrics.base import Example


def predictors(examples: Sequence[Example]) -> Mapping[str, Predictor]:
    """Return the empty answer, which is unreadable."""
    return {"empty": lambda _: None}


def judged(row: Row) -> tuple[str, list[str]]:
    """Return the whole conversation as the question, and no snippets."""
    return "\n\n".join(turn.content for turn in row.messages[:-1]), []


KIND = Kind(
    why=lambda _: "citations without an answer",
    predictors=predictors,
    lenient=nothing,
    labels=seen_answers,
    judged=judged,
    breakdown="words",
)
