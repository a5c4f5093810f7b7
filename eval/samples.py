"""A run's rows as a comparison needs them: in the order of the test file, without their texts."""

import dataclasses
from collections.abc import Sequence

import msgspec

from converters import tasks
from converters.tasks import answer
from eval import metrics
from eval.metrics.base import Example, Table, Tools, lines, mean
from eval.reading import of_scored
from eval.runs import Run
from eval.score import tables as computed_tables


class Sample(msgspec.Struct, frozen=True):
    """One task's rows under one run, without their texts: what metrics take, and each row's own values."""

    ids: list[str]
    examples: list[Example]
    values: list[dict[str, float]]


def sample(run: Run, task: str) -> Sample:
    """Read one task's rows; prompts are kept only where a metric looks at their snippets."""
    rows = Sample([], [], [])
    prompts = tasks.get(task).prefix == answer.PREFIX
    for row in run.rows:
        if row.task == task:
            example = of_scored(row)
            rows.ids.append(row.id)
            rows.examples.append(example if prompts else dataclasses.replace(example, prompt=""))
            rows.values.append(row.values)
    return rows


def shared(task: str, runs: Sequence[Run], samples: Sequence[Sample], tools: Tools) -> list[str]:
    """Return the metrics that all runs have and that can be computed again: from the answers, or from each row's own value."""
    scores = [run.scores.tasks[task].metrics for run in runs]
    names = [name for name in scores[0] if all(name in other for other in scores)]
    return [
        name
        for name in names
        if not (metric := metrics.get(name)).of_rows
        and all((metric.each and metric.reduce is mean) or not _missing(name, sample, tools) for sample in samples)
    ]


def _missing(name: str, sample: Sample, tools: Tools) -> str:
    return metrics.get(name).missing(sample.examples, tools)


def tables(sample: Sample, names: Sequence[str], tools: Tools) -> dict[str, Table]:
    """Return each metric's table; one that needs a tool (an encoder, a judge) is the average that its rows already hold."""
    stored = [name for name in names if _missing(name, sample, tools)]
    computed = computed_tables(sample.examples, [name for name in names if name not in stored], tools)
    averages = {name: lines((row.get(name, 0.0), float(name in row)) for row in sample.values) for name in stored}
    return {name: averages[name] if name in stored else computed[name] for name in names}
