"""The commonest training answer: of the task, of each attribute (no value counts, too), of each number of candidates.

A choice gets its commonest option; where training knows none of the options, the one at the place that is right most often. As
many candidates as training never has stay as they are shown.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from converters.schema import Row
from converters.tasks.ranking import Order
from eval.answers import kind_of
from eval.baselines.base import CANDIDATES, Baseline, Guess, Predict, Solved, Tell

OPTION, PLACE = "option", "place"


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Count the answers."""
    counts: dict[Any, Counter[Any]] = defaultdict(Counter)
    for row, answer in rows:
        for key, value in _parts(row, answer):
            counts[key][value] += 1
    usual = {key: [value for value, _ in values.most_common(CANDIDATES)] for key, values in counts.items()}
    return lambda asked: (_guess(row, counts, usual) for row in asked)


def _parts(row: Row, answer: Any) -> Iterator[tuple[Any, Any]]:
    extra = row.extra
    if "attributes" in extra:
        yield from answer.items()
    elif "options" in extra:
        yield OPTION, answer
        yield PLACE, extra["options"].index(answer)
    else:
        yield len(extra.get("gains", ())), answer


def _guess(row: Row, counts: Mapping[Any, Counter[Any]], usual: Mapping[Any, list[Any]]) -> Guess | None:
    extra = row.extra
    if "attributes" in extra:
        return Guess({name: usual.get(name, [()])[0] for name in extra["attributes"]})
    if options := extra.get("options"):
        # Ties go to the first option, and so does a choice about which training says nothing at all.
        places = range(len(options))
        place = max(places, key=lambda place: (counts[OPTION][options[place]], counts[PLACE][place]))
        return Guess(options[place])
    if "options" in extra:
        return None
    count = len(extra.get("gains", ()))
    answers = usual.get(count) or ([Order(tuple(range(1, count + 1)))] if count else [])
    return Guess(answers[0], tuple(answers) if kind_of(row.task).ranked else ()) if answers else None


BASELINE = Baseline(fit)
