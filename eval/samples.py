"""A run's rows as a comparison needs them: in the order of the test file, without their texts."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from converters import tasks
from converters.tasks import answer
from eval import metrics, score
from eval.metrics.base import Example, Floats, Table, Tools, lines, mean
from eval.reading import of_scored
from eval.runs import Run


class Sample(msgspec.Struct, frozen=True):
    """One task's rows under one run, without their texts: what metrics take, and each row's own values."""

    ids: list[str]
    examples: list[Example]
    values: list[dict[str, float]]


def sample(run: Run, task: str) -> Sample:
    """Read one task's rows; prompts are kept only where a metric looks at their snippets."""
    found = Sample([], [], [])
    for row in run.rows:
        if row.task == task:
            read = of_scored(row)
            found.ids.append(row.id)
            found.examples.append(read if tasks.get(task).prefix == answer.PREFIX else replace(read, prompt=""))
            found.values.append(row.values)
    return found


def shared(task: str, runs: Sequence[Run], found: Sequence[Sample], tools: Tools) -> list[str]:
    """Return the metrics that all runs have and that can be had again: from the answers, or from each row's own value."""
    both = [
        name for name in runs[0].scores.tasks[task].metrics if all(name in r.scores.tasks[task].metrics for r in runs)
    ]
    own = [name for name in both if not metrics.get(name).of_rows]
    return [name for name in own if all(_averaged(name) or not _missing(name, one, tools) for one in found)]


def _missing(name: str, found: Sample, tools: Tools) -> str:
    return metrics.get(name).missing(found.examples, tools)


def _averaged(name: str) -> bool:
    return metrics.get(name).each and metrics.get(name).reduce is mean


def tables(found: Sample, names: Sequence[str], tools: Tools) -> dict[str, Table]:
    """Return each metric's table; one that needs a tool (an encoder, a judge) is the average that its rows already hold."""
    stored = [name for name in names if _missing(name, found, tools)]
    made = score.tables(found.examples, [name for name in names if name not in stored], tools)
    return {name: _stored(found, name) if name in stored else made[name] for name in names}


def _stored(found: Sample, name: str) -> Floats:
    return lines((values.get(name, 0.0), float(name in values)) for values in found.values)
