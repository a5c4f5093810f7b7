"""What a run is not good at, in sentences: what its scores, slices, confusions and abstentions show."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converters.core.html import count, share
from eval.report.breakdown import Answers, Parent
from eval.report.pages import floor_flag, interval, label, number, title
from eval.results.schema import Score, Slice, TaskScores

WIDE = 0.1  # an interval of this width hides differences that matter
LISTED = 5


def weaknesses(section: Mapping[str, Any]) -> list[str]:
    """Return what one section of a run's page says against it; texts in it are as they were, for the template to escape."""
    scores: TaskScores = section["scores"]
    name = section["headline"]
    return [
        *(_headline(name, scores.metrics[name], scores) if name else ["no metric applies: it was not measured"]),
        *_unreadable(scores),
        *_abstentions(section["answers"]),
        *(_slices(name, scores) if name else ()),
        *filter(None, map(_confused, sorted((parent for _, parent in section["tree"] if parent), key=_share)[:LISTED])),
    ]


def _headline(name: str, score: Score, scores: TaskScores) -> Iterator[str]:
    if flag := floor_flag(score):
        floor = f"{number(score.floor)} ({score.floor_by})"
        yield f"{title(name)} {number(score.value)} is {flag}, {floor}: it may do no better than an answer that reads nothing"
    if score.low is None or score.high is None:
        yield f"no interval: {score.reason}"
    elif score.high - score.low >= WIDE:
        width = number(score.high - score.low)
        yield f"the 95 % interval is {width} wide, on {count(scores.groups)} products: smaller differences cannot be told"


def _unreadable(scores: TaskScores) -> Iterator[str]:
    if scores.invalid:
        why = ", ".join(f"{reason}: {count(rows)}" for reason, rows in scores.reasons.items())
        many = f"{share(scores.invalid, scores.n)} of the answers ({count(scores.invalid)} of {count(scores.n)})"
        yield f"{many} cannot be read and count as wrong{f' ({why})' if why else ''}"


def _abstentions(answers: Answers | None) -> Iterator[str]:
    said = answers.abstention if answers else {}
    for has, wrong, words in (
        (True, "abstained", "questions that have an answer got none"),
        (False, "answered", "questions that have no answer got one"),
    ):
        total = sum(rows for (gold, _), rows in said.items() if gold is has)
        if rows := said.get((has, wrong), 0):
            yield f"{count(rows)} of {count(total)} {words}"


def _slices(name: str, scores: TaskScores) -> Iterator[str]:
    """Yield the worst slices whose whole interval lies below that of all rows."""
    low = scores.metrics[name].low
    found = [(part.metrics[name], part) for part in scores.slices if name in part.metrics]
    below = [(score, part) for score, part in found if None not in (low, score.high) and score.high < low]  # type: ignore[operator]
    yield from (_slice(name, *pair) for pair in sorted(below, key=lambda pair: pair[0].value)[:LISTED])


def _slice(name: str, score: Score, part: Slice) -> str:
    return f"{label(part.kind)} “{part.name}”: {title(name)} {number(score.value)} ({interval(score)}) on {count(part.n)} rows"


def _share(parent: Parent) -> float:
    return -parent.wrong / parent.n if parent.n else 0


def _confused(parent: Parent) -> str:
    """Say which children of a node are taken for another, and for which."""
    pairs = [(child.name, *taken) for child in parent.children for taken in child.taken]
    worst = max(pairs, key=lambda pair: pair[2], default=None)
    if not parent.wrong or worst is None:
        return ""
    below = f"below “{' > '.join(parent.path)}”" if parent.path else "at the first level"
    most = f"most often “{worst[1]}” in place of “{worst[0]}”"
    return f"{below}, {count(parent.wrong)} of {count(parent.n)} rows end under another node, {most}"


def untested(trained_on: Sequence[str], scored: Sequence[str]) -> list[str]:
    """Return what was trained and not scored."""
    return [f"{task}: trained, and not scored here" for task in trained_on if task not in scored]
