"""What the page of a comparison shows: one part for each later run against the first, in it one section a task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from converters import tasks
from eval import cost, report
from eval.chosen import IN_ALL, OF_EACH, PER_TASK, Chosen, Entry, entry, slices
from eval.common import unsliced
from eval.comparable import baseline
from eval.compare import Change, Comparison, Pair, changes, notes
from eval.report import OWN, attributes, provenance
from eval.runs import Run
from eval.scored import Slice
from eval.shown import floor_flag

SHOWN = 3
WORSE, BETTER, WRONG = "got worse", "got better", "still wrong"
SIZES = {WORSE: 60, BETTER: 25, WRONG: 25}


def of_comparison(comparison: Comparison, runs: Sequence[Run]) -> dict[str, Any]:
    """Return what the page shows."""
    if comparison.slices_left_out:
        runs = [unsliced(run, comparison.slices_left_out) for run in runs]
    named = {run.name: run for run in runs}
    heads = [pair for pair in comparison.pairs if pair.headline]
    most = min(PER_TASK, IN_ALL // max(1, len(heads)))
    parts = [_part(named[a], named[b], list(pairs), most) for (a, b), pairs in groupby(comparison.pairs, key=_names)]
    several = len(parts) > 1
    return {
        "parts_of": parts,
        "comparison": comparison,
        "notes": notes(comparison),
        "matrix": _matrix(comparison, runs) if several else [],
        "entries": [
            _entry(part["a"], part["b"], kind, change, several)
            for part in parts
            for section in part["sections"]
            for kind, change in section["chosen"]
        ],
        "changed": sum(
            count for part in parts for section in part["sections"] for count, _ in section["examples"].values()
        ),
        "same": [line for key, line in _facts(runs[0], True, runs) if key],
        "own": [(run.name, [line for _, line in _facts(run, False, runs)]) for run in runs],
        "costs": _costs(runs),
        "baselines": {run.name: name for run in runs if (name := baseline(run))},
        "templates_differ": len({_template_hash(run) for run in runs if not baseline(run)}) > 1,
    }


def _names(pair: Pair) -> tuple[str, str]:
    return pair.a, pair.b


def _part(a: Run, b: Run, pairs: Sequence[Pair], most: int) -> dict[str, Any]:
    sections = [_section(a, b, list(found), most) for _, found in groupby(pairs, key=lambda pair: pair.task)]
    return {"a": a.name, "b": b.name, "sections": sections, "sentence": sentence(sections)}


def sentence(sections: Sequence[Mapping[str, Any]]) -> str:
    """Say on which tasks the later run is better, worse, or not shown to differ, and where it is not above its floor."""
    heads: list[Pair] = [section["headline"] for section in sections]
    said = [
        f"{verdict} on {', '.join(tasks_) or 'none'}"
        for verdict in ("better", "worse", "not shown to differ")
        if (tasks_ := [pair.task for pair in heads if pair.verdict == verdict]) or verdict == "better"
    ]
    low = [pair.task for pair in heads if floor_flag(pair.score_b)]
    return "; ".join(said).capitalize() + (f". Not shown above its floor on {', '.join(low)}." if low else ".")


def _section(a: Run, b: Run, pairs: Sequence[Pair], most: int) -> dict[str, Any]:
    task = pairs[0].task
    chosen, counts = Chosen(), Counter[str]()
    for change in changes(a, b, task):
        if kind := _kind(change):
            counts[kind] += 1
            gap = abs(change.value_b - change.value_a) if kind != WRONG else 1 - change.value_b
            some = [(("slice", kind, name), OF_EACH) for name in slices(change.a)]
            chosen.offer(task, [((kind,), SIZES[kind]), *some], gap, (kind, change))
    taken = chosen.taken(task, most)
    return {
        "task": task,
        "forgetting": not tasks.get(task).prefix,
        "pairs": pairs,
        "headline": next((pair for pair in pairs if pair.headline), pairs[0]),
        "counted": next((pair for pair in pairs if pair.wins is not None), None),
        "scores": (a.scores.tasks[task], b.scores.tasks[task]),
        "attributes": _attributes(a, b, task),
        "slices": _slices(a, b, task, next((p for p in pairs if p.headline), pairs[0]).metric),
        "chosen": taken,
        "examples": {kind: (counts[kind], [change for one, change in taken if one == kind][:SHOWN]) for kind in SIZES},
    }


def _attributes(a: Run, b: Run, task: str) -> list[tuple[str, Mapping[str, int], Mapping[str, int]]]:
    others = b.scores.tasks[task].attributes
    return [(name, found, others[name]) for name, found in attributes(a.scores.tasks[task]) if name in others]


def _slices(a: Run, b: Run, task: str, metric: str) -> dict[str, list[tuple[Slice, Slice]]]:
    others = {(one.kind, one.name): one for one in b.scores.tasks[task].slices if metric in one.metrics}
    found = report.slices(a.scores.tasks[task], metric)
    return {
        kind: [(one, others[kind, one.name]) for one in listed if metric in one.metrics and (kind, one.name) in others]
        for kind, listed in found.items()
    }


def _kind(change: Change) -> str:
    if change.value_b != change.value_a:
        return WORSE if change.value_b < change.value_a else BETTER
    return WRONG if change.value_b < 1 else ""


def _entry(a: str, b: str, kind: str, change: Change, several: bool) -> Entry:
    tags = [f"{b}: {kind}" if several else kind]
    if not change.b.valid:
        tags.append(f"{b}: unreadable" if several else "unreadable now")
    return entry(change.a, {a: change.a, b: change.b}, tags)


def _matrix(comparison: Comparison, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return a line for each task: the first run's headline score and each later run's pair."""
    heads = [pair for pair in comparison.pairs if pair.headline]
    names = [run.name for run in runs]
    lines = []
    for task in dict.fromkeys(pair.task for pair in heads):
        found = {pair.b: pair for pair in heads if pair.task == task}
        one = next(iter(found.values()))
        lines.append({"task": task, "metric": one.metric, "first": one.score_a, "pairs": [found[n] for n in names[1:]]})
    return lines


def _facts(run: Run, same: bool, runs: Sequence[Run]) -> list[tuple[str, tuple[str, str]]]:
    """Return the lines of provenance that all runs share, or those of one run that they do not."""
    known = [run.scores.provenance for run in runs]
    shared = {key for key, value in known[0].items() if key not in OWN and all(p.get(key) == value for p in known)}
    found = {key: value for key, value in run.scores.provenance.items() if (key in shared) is same}
    return [(key, line) for key, value in found.items() for line in provenance({key: value})]


def _costs(runs: Sequence[Run]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (run.name, cost.cost(run.scores.provenance.get("predictions"), len({row.group for row in run.rows})))
        for run in runs
    ]


def _template_hash(run: Run) -> Any:
    return (run.scores.provenance.get("predictions") or {}).get("template_sha256")
