"""The commonest training answer: of the task, of each attribute (no value counts, too), of each number of candidates.

A choice gets its commonest option; where training knows none of the options, the one at the place that is right most often. As
many candidates as training never has stay as they are shown.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converters.schema import Row
from converters.tasks.ranking import Order
from eval.answers import kind_of
from eval.baselines.base import CANDIDATES, Baseline, Predict, Said, Solved, Tell

Counts = Mapping[Any, Counter[Any]]
OPTION, PLACE = "option", "place"


def fit(rows: Iterator[Solved], tell: Tell) -> Predict:
    """Count the answers."""
    counts: dict[Any, Counter[Any]] = defaultdict(Counter)
    for row, answer in rows:
        for key, value in _parts(row, answer):
            counts[key][value] += 1
    usual = {key: [value for value, _ in found.most_common(CANDIDATES)] for key, found in counts.items()}
    return lambda asked: (_said(row, counts, usual) for row in asked)


def _parts(row: Row, answer: Any) -> Iterator[tuple[Any, Any]]:
    extra = row.extra
    if "attributes" in extra:
        yield from answer.items()
    elif "options" in extra:
        yield OPTION, answer
        yield PLACE, extra["options"].index(answer)
    else:
        yield len(extra.get("gains", ())), answer


def _said(row: Row, counts: Counts, usual: Mapping[Any, list[Any]]) -> Said | None:
    extra = row.extra
    if "attributes" in extra:
        return Said({name: usual.get(name, [()])[0] for name in extra["attributes"]})
    if "options" in extra:
        return _choice(extra["options"], counts)
    count = len(extra.get("gains", ()))
    found = usual.get(count) or ([Order(tuple(range(1, count + 1)))] if count else [])
    return Said(found[0], tuple(found) if kind_of(row.task).ranked else ()) if found else None


def _choice(options: Sequence[str], counts: Counts) -> Said | None:
    if not options:
        return None
    # Ties go to the first option, and so does a choice about which training says nothing at all.
    place = max(range(len(options)), key=lambda place: (counts[OPTION][options[place]], counts[PLACE][place]))
    return Said(options[place])


BASELINE = Baseline(fit)
