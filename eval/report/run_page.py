"""The page of one run: what its scores are, where its answers go wrong, what they cost and come from."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from converters import tasks
from converters.core.html import count
from eval.answers import kind_of
from eval.comparison.compare import leading
from eval.comparison.pairing import baseline
from eval.published.anchors import beside, beside_published
from eval.report import breakdown
from eval.report.breakdown import IN_ALL, PER_TASK, Chosen, Entry, buckets, entry
from eval.report.pages import floor_flag
from eval.results.schema import Run, Score, ScoredRow, Slice, TaskScores
from eval.scoring import parse

OWN = ("predictions_sha256", "rows_sha256", "predictions")
SHOWN = 3
PAIRS = 1 << 17  # of paths that are counted before they are taken apart
_LEVEL = re.compile(r"level_(\d+)_(.+)")
SPEEDS = {"generated_tokens": "generated tokens/s", "prompt_tokens": "prompt tokens/s"}
COUNTS = {
    "prompt_tokens": "prompt tokens",
    "generated_tokens": "generated tokens",
    "cut_at_max_new_tokens": "answers cut at the token limit",
    "cut_at_context": "answers cut earlier, where the model's context was full",
}


def cost(record: Mapping[str, Any] | None, products: int) -> list[tuple[str, str]]:
    """Return figures with their units, as far as the record has them; ``products`` is the number of groups.

    A resumed run has no times: its seconds are those of the last sitting alone.

    >>> cost({"rows": 200, "seconds": 10.0, "generated_tokens": 500, "prompt_tokens": 4000}, 100)[:2]
    [('seconds per 1,000 products', '100.0'), ('seconds per 1,000 rows', '50.0')]
    """
    if not record:
        return []
    latency = record.get("latency_seconds")
    waits = [(name, latency.get(name)) for name in ("p50", "p95")] if isinstance(latency, dict) else []
    return [
        *_times(record, products),
        *((f"latency {name}", f"{value:,.3f} s") for name, value in waits if _positive(value)),
        *((name, count(record[key])) for key, name in COUNTS.items() if isinstance(record.get(key), int)),
    ]


def _times(record: Mapping[str, Any], products: int) -> list[tuple[str, str]]:
    seconds, rows = record.get("seconds"), record.get("rows")
    if not (_positive(seconds) and _positive(rows)):
        return []
    if record.get("rows_resumed"):
        return [("seconds", f"not known: {count(record['rows_resumed'])} of {count(rows)} rows were answered earlier")]
    counts = {"products": products, "rows": rows}
    lines = [(f"seconds per 1,000 {name}", f"{1000 * seconds / n:,.1f}") for name, n in counts.items() if n]
    speeds = [(name, record[key] / seconds) for key, name in SPEEDS.items() if _positive(record.get(key))]
    return lines + [(name, f"{speed:,.0f}") for name, speed in speeds]


def _positive(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and value > 0


def headline(task: str, scores: TaskScores) -> str | None:
    """Return a task's first metric that is available."""
    return next((name for name in tasks.get(task).metrics if name in scores.metrics), None)


class Tally:
    """What one pass over a run's rows collects for its page; memory grows only with the number of groups."""

    def __init__(self) -> None:
        self.sources: dict[str, Counter[str]] = defaultdict(Counter)
        self.paths: dict[str, breakdown.Confusion] = defaultdict(breakdown.Confusion)
        self.pairs: Counter[tuple[str, breakdown.Path, breakdown.Path | None]] = Counter()
        self.answers: dict[str, breakdown.Answers] = defaultdict(breakdown.Answers)
        self.wrong: Counter[str] = Counter()
        self.groups: set[str] = set()
        self.chosen = Chosen()

    def counting(self, rows: Iterable[ScoredRow]) -> Iterator[ScoredRow]:
        """Yield rows, such as those that are being written, and take each into account."""
        for row in rows:
            self.add(row)
            yield row

    def add(self, row: ScoredRow) -> None:
        """Take a row into account."""
        self.sources[row.task][row.source] += 1
        self.groups.add(row.group)
        breakdown_by = kind_of(row.task).breakdown
        if breakdown_by:
            extra = parse.meta_of(row.id, row.meta)
            gold: Any = parse.read(row.task, row.gold, extra)
            answer = parse.read(row.task, row.prediction, extra)
            if breakdown_by == "tree":
                self.pairs[row.task, gold, answer] += 1
            else:
                self.answers[row.task].add(gold, answer, breakdown_by == "replies")
        name = leading(row.values)
        value = row.values[name] if name else float(row.valid)
        if value < 1:
            self.wrong[row.task] += 1
            self.chosen.offer(row.task, buckets(row), 1 - value, row)
        if len(self.pairs) >= PAIRS:
            self.settle()

    def settle(self) -> None:
        """Take the rows that were counted by their pair of gold and predicted path into the paths' account."""
        for (task, gold, answer), rows in self.pairs.items():
            self.paths[task].add(gold, answer, rows)
        self.pairs.clear()


def of_run(run: Run, tally: Tally | None = None) -> dict[str, Any]:
    """Return what the page of one run shows; ``tally`` has counted its rows, which are read if there is none."""
    if tally is None:
        tally = Tally()
        for row in run.rows:
            tally.add(row)
    tally.settle()
    per_task = min(PER_TASK, IN_ALL // max(1, len(run.scores.tasks)))
    rows = {task: tally.chosen.taken(task, per_task) for task in run.scores.tasks}
    sections = [_section(task, scores, tally, rows[task], run) for task, scores in run.scores.tasks.items()]
    return {
        "run": run.name,
        "sentence": sentence(sections),
        "sections": sections,
        "entries": [_entry(run.name, row) for task in rows for row in rows[task]],
        "wrong": sum(tally.wrong.values()),
        "rows": sum(scores.n for scores in run.scores.tasks.values()),
        "baseline": baseline(run),
        "cost": cost(run.scores.provenance.get("predictions"), len(tally.groups)),
        "provenance": provenance(run.scores.provenance),
    }


def _section(task: str, scores: TaskScores, tally: Tally, rows: list[ScoredRow], run: Run) -> dict[str, Any]:
    name, paths, texts = headline(task, scores), tally.paths.get(task), tally.answers.get(task)
    return {
        "task": task,
        "scores": scores,
        "headline": name,
        "plain": {metric: score for metric, score in scores.metrics.items() if not metric.startswith("level_")},
        "levels": levels(scores.metrics),
        "depths": breakdown.depths(paths) if paths else [],
        "tree": breakdown.tree(breakdown.parents(paths)) if paths else [],
        "answers": texts,
        "lengths": breakdown.lengths(texts) if texts else [],
        "attributes": attributes(scores),
        "of_values": {part.name: part.metrics.get("micro_f1") for part in scores.slices if part.kind == "attribute"},
        "slices": slices(scores, name),
        "anchors": beside(task, tally.sources[task], run.scores.provenance.get("normaliser")),
        "ecellm": [(part, published, beside_published(part, published.n)) for part, published in scores.ecellm.items()],
        "wrong": [(row, leading(row.values)) for row in rows[:SHOWN]],
    }


def levels(by_name: Mapping[str, Score]) -> list[tuple[int, dict[str, Score]]]:
    """Return the scores of each level of a path, from the top, by the name that they have in common.

    >>> levels({"accuracy": Score(1, 1, 1, 0, "x"), "level_1_accuracy": Score(0.5, 0.4, 0.6, 0, "x")})
    [(1, {'accuracy': Score(value=0.5, low=0.4, high=0.6, floor=0, floor_by='x', reason='')})]
    """
    found: dict[int, dict[str, Score]] = defaultdict(dict)
    for name, score in by_name.items():
        if level := _LEVEL.fullmatch(name):
            found[int(level[1])][level[2]] = score
    return sorted(found.items())


def attributes(scores: TaskScores) -> list[tuple[str, Mapping[str, int]]]:
    """Return each attribute's counts, those with most slots first."""
    return sorted(scores.attributes.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))


def slices(scores: TaskScores, name: str | None) -> dict[str, list[Slice]]:
    """Return the slices by kind, in their order: those that have the headline metric or are too small for any."""
    by_kind: dict[str, list[Slice]] = defaultdict(list)
    for part in scores.slices:
        if (name in part.metrics or not part.metrics) and part.n < scores.n:
            by_kind[part.kind].append(part)
    return by_kind


def sentence(sections: list[dict[str, Any]]) -> str:
    """Say on which tasks the run is above its floor, and on which that is not shown."""
    flags: dict[str, list[str]] = {"": [], "not shown above its floor": [], "below its floor": []}
    for section in sections:
        if section["headline"]:
            flags[floor_flag(section["scores"].metrics[section["headline"]])].append(section["task"])
    words = {"": "above its floor", **{flag: flag for flag in flags if flag}}
    clauses = [f"{words[flag]} on {', '.join(named)}" for flag, named in flags.items() if named]
    return ("; ".join(clauses) or "no metric applies").capitalize() + "."


def _entry(run: str, row: ScoredRow) -> Entry:
    tags = ["readable, not fully right"] if row.valid else ["unreadable"]
    if row.reason:
        tags.append(f"unreadable: {row.reason}")
    if row.salvaged:
        tags.append("recovered by the forgiving parse")
    return entry(row, {run: row}, tags)


def provenance(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return provenance as flat lines."""
    lines = []
    for key, value in record.items():
        text = "none recorded" if value is None else str(value)
        lines += provenance(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, text)]
    return lines
