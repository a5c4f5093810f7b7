"""The page of a comparison: one part for each later run against the first, with a section for each task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from converters import tasks
from eval.comparison.compare import NO_VERDICT, Change, Comparison, Pair, changes
from eval.comparison.pairing import baseline, origin, unsliced
from eval.report import run_page
from eval.report.breakdown import IN_ALL, OF_EACH, PER_TASK, Chosen, Entry, entry, slices
from eval.report.pages import floor_flag, notes
from eval.report.run_page import OWN, attributes, provenance
from eval.results.schema import Run, Slice

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
    by_run = groupby(comparison.pairs, key=lambda pair: (pair.a, pair.b))
    parts = []
    for (a, b), pairs in by_run:
        changed = _changed(named[a], named[b])
        by_task = groupby(pairs, key=lambda pair: pair.task)
        sections = [_section(named[a], named[b], list(of_task), changed, most) for _, of_task in by_task]
        parts.append({"a": a, "b": b, "sections": sections, "sentence": sentence(sections)})
    several = len(parts) > 1
    templates = {origin(run).get("template_sha256") for run in runs if not baseline(run)}
    return {
        "parts_of": parts,
        "comparison": comparison,
        "notes": notes(comparison),
        "matrix": _matrix(heads, runs) if several else [],
        "entries": [
            _entry(part["a"], part["b"], kind, change, several)
            for part in parts
            for section in part["sections"]
            for kind, change in section["chosen"]
        ],
        "changed": sum(count for p in parts for section in p["sections"] for count, _ in section["examples"].values()),
        "same": _facts(runs[0], True, runs),
        "own": [(run.name, _facts(run, False, runs)) for run in runs],
        "costs": [(run.name, run_page.cost(origin(run), _products(run)) if origin(run) else []) for run in runs],
        "baselines": {run.name: name for run in runs if (name := baseline(run))},
        "templates_differ": len(templates) > 1,
    }


def sentence(sections: Sequence[Mapping[str, Any]]) -> str:
    """Say on which tasks the later run is better or worse or neither, and where it is not shown above its floor."""
    heads: list[Pair] = [section["headline"] for section in sections]
    clauses = [
        f"{verdict} on {', '.join(names) or 'none'}"
        for verdict in ("better", "worse", "not shown to differ", NO_VERDICT)
        if (names := [pair.task for pair in heads if pair.verdict == verdict]) or verdict == "better"
    ]
    low = [pair.task for pair in heads if floor_flag(pair.score_b)]
    return "; ".join(clauses).capitalize() + (f". Not shown above its floor on {', '.join(low)}." if low else ".")


def _products(run: Run) -> int:
    return len({row.group for row in run.rows})


def _changed(a: Run, b: Run) -> tuple[Chosen, Counter[tuple[str, str]]]:
    """Choose examples of what changed, and count them by task and kind."""
    chosen, counts = Chosen(), Counter[tuple[str, str]]()
    for change in changes(a, b):
        if kind := _kind(change):
            counts[change.a.task, kind] += 1
            gap = abs(change.value_b - change.value_a) if kind != WRONG else 1 - change.value_b
            some = [(("slice", kind, name), OF_EACH) for name in slices(change.a)]
            chosen.offer(change.a.task, [((kind,), SIZES[kind]), *some], gap, (kind, change))
    return chosen, counts


def _section(
    a: Run, b: Run, pairs: Sequence[Pair], changed: tuple[Chosen, Counter[tuple[str, str]]], most: int
) -> dict[str, Any]:
    task, (chosen, counts) = pairs[0].task, changed
    taken = chosen.taken(task, most)
    headline = next((pair for pair in pairs if pair.headline), pairs[0])
    others = b.scores.tasks[task].attributes
    return {
        "task": task,
        "forgetting": not tasks.get(task).prefix,
        "pairs": pairs,
        "headline": headline,
        "counted": next((pair for pair in pairs if pair.wins is not None), None),
        "scores": (a.scores.tasks[task], b.scores.tasks[task]),
        "attributes": [(n, counts, others[n]) for n, counts in attributes(a.scores.tasks[task]) if n in others],
        "slices": _slices(a, b, task, headline.metric),
        "chosen": taken,
        "examples": {
            kind: (counts[task, kind], [change for k, change in taken if k == kind][:SHOWN]) for kind in SIZES
        },
    }


def _slices(a: Run, b: Run, task: str, metric: str) -> dict[str, list[tuple[Slice, Slice]]]:
    others = {(other.kind, other.name): other for other in b.scores.tasks[task].slices if metric in other.metrics}
    return {
        kind: [(own, others[kind, own.name]) for own in parts if metric in own.metrics and (kind, own.name) in others]
        for kind, parts in run_page.slices(a.scores.tasks[task], metric).items()
    }


def _kind(change: Change) -> str:
    if change.value_b != change.value_a:
        return WORSE if change.value_b < change.value_a else BETTER
    return WRONG if change.value_b < 1 else ""


def _entry(a: str, b: str, kind: str, change: Change, several: bool) -> Entry:
    tags = [kind] if change.b.valid else [kind, "unreadable" if several else "unreadable now"]
    return entry(change.a, {a: change.a, b: change.b}, [f"{b}: {tag}" if several else tag for tag in tags])


def _matrix(heads: Sequence[Pair], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return a line for each task: the first run's headline score and each later run's pair."""
    lines = []
    for task in dict.fromkeys(pair.task for pair in heads):
        by_run = {pair.b: pair for pair in heads if pair.task == task}
        first = next(iter(by_run.values()))
        pairs = [by_run[run.name] for run in runs[1:]]
        lines.append({"task": task, "metric": first.metric, "first": first.score_a, "pairs": pairs})
    return lines


def _facts(run: Run, same: bool, runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return the lines of provenance that all runs share, or those of one run that they do not."""
    records = [each.scores.provenance for each in runs]
    shared = {k for k, value in records[0].items() if k not in OWN and all(r.get(k) == value for r in records)}
    return provenance({key: value for key, value in run.scores.provenance.items() if (key in shared) is same})
