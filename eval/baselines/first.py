"""What is listed first: the first snippet (cited), candidates in the order shown, the first option, a shortlist's first."""

from collections.abc import Iterator

from converters import tasks
from converters.schema import Row
from converters.tasks import category
from converters.tasks.answer import Reply, snippets
from converters.tasks.ranking import Order
from eval.baselines.base import Baseline, Guess, Predict, Solved, Tell, question


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Learn nothing."""
    return lambda asked: map(_guess, asked)


def _guess(row: Row) -> Guess | None:
    extra = row.extra
    if "gains" in extra:
        return Guess(Order(tuple(range(1, len(extra["gains"]) + 1))))
    if tasks.get(row.task).kind == "reply":
        listed = snippets(question(row))
        return Guess(Reply(listed[0], (1,))) if listed else None
    if names := extra.get("candidates"):
        paths = [path for path in map(category.parse, names) if path]
        return Guess(paths[0], tuple(paths)) if paths else None
    return Guess(extra["options"][0]) if extra.get("options") else None


BASELINE = Baseline(fit, ("choice", "order", "path", "reply"))
