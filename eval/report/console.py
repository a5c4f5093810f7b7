"""Tables in the terminal: scores, the runs of a folder, a comparison and its gate, a cascade."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from converters.core.errors import InputError
from converters.core.html import share
from eval.comparison.cascade import Curve
from eval.comparison.compare import NO_VERDICT, Comparison, Pair
from eval.report.pages import chance, floor_flag, interval, notes, number, signed, title
from eval.report.run_page import headline
from eval.results.schema import Scores, TaskScores

OWN = ("output_dir", "dataset_prepared_path")  # every run has its own of these
WIDTH = 40


@dataclass(frozen=True, slots=True)
class Listed:
    """One run: its name, start (ISO time) and status, its recipe's keys, its scores, and notes on files that are broken."""

    name: str
    started: str
    status: str
    recipe: Mapping[str, str] = field(default_factory=dict)
    scores: Scores | None = None
    broken: tuple[str, ...] = ()


def read(folder: Path) -> list[Listed]:
    """Return the runs in a folder, newest first; a folder without any is an :class:`InputError`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file' if folder.exists() else 'no such folder'}; name a folder of runs")
    paths = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    runs = [run for path in paths for run in _evaluations(path)]
    if not runs:
        raise InputError(f"{folder}: no runs here: a run is a folder with run.json or eval/scores.json")
    return sorted(runs, key=lambda run: run.started, reverse=True)


def _evaluations(path: Path) -> Iterator[Listed]:
    """Yield a run, and again for each other mixture that it was scored on, under the name that a comparison gives that."""
    main = next((p for p in (path / "eval" / "scores.json", path / "scores.json") if p.is_file()), None)
    if main or (path / "run.json").is_file():
        yield _run(path, path.name, main)
    for scores in sorted(path.glob("eval-*/scores.json")):
        yield _run(path, f"{path.name}/{scores.parent.name}", scores)


def _run(path: Path, name: str, scores_file: Path | None) -> Listed:
    broken: list[str] = []
    record_file = path / "run.json"
    record = _decoded(record_file, dict[str, Any], broken) or {}
    recipe = _decoded(path / "recipe.yaml", dict, broken) or {}
    scores = _decoded(scores_file, Scores, broken) if scores_file else None
    started = record.get("started")
    if not isinstance(started, str):
        changed = (scores_file or record_file).stat().st_mtime
        started = datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")
    origin = scores.provenance.get("predictions") if scores else None
    baseline = origin.get("baseline") if isinstance(origin, dict) else None
    no_record = f"baseline: {baseline}" if baseline else "no run.json"
    status = str(record.get("status", "")) if record_file.is_file() else no_record
    keys = {str(key): _line(value) for key, value in recipe.items() if key not in OWN}
    return Listed(name, started, status, keys, scores, tuple(broken))


def _decoded(path: Path, kind: Any, broken: list[str]) -> Any:
    if not path.is_file():
        return None
    decode = msgspec.yaml.decode if path.suffix == ".yaml" else msgspec.json.decode
    try:
        return decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        broken.append(f"{path.name} cannot be read")
        return None


def _line(value: Any) -> str:
    """Return a recipe's value on one line.

    >>> _line([{"path": "a", "type": "b"}]), _line(2e-05), _line(None)
    ('[{path: a, type: b}]', '2.0e-05', '')
    """
    if value is None:
        return ""
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return " ".join(dumped.removesuffix("...\n").split())


def table(runs: Sequence[Listed]) -> str:
    """Return the runs as a text table, with notes below it; a recipe key that a run lacks counts as empty."""
    recipes = [run.recipe for run in runs if run.recipe]
    known = dict.fromkeys(key for recipe in recipes for key in recipe)
    keys = [key for key in known if len({recipe.get(key, "") for recipe in recipes}) > 1]
    scored = [(task, scores) for run in reversed(runs) if run.scores for task, scores in run.scores.tasks.items()]
    heads = {task: name for task, scores in scored if (name := _headline(task, scores))}
    several = len({_test(run) for run in runs if run.scores}) > 1
    lines = [f"score: {', '.join(f'{task} {title(name)}' for task, name in sorted(heads.items()))}"] if heads else []
    if several:
        lines.append("the runs' test files differ (column test): only scores of the same test file can be compared")
    if len({run.scores.provenance.get("scorer_sha256") for run in runs if run.scores}) > 1:
        lines.append(
            "the runs were scored by different versions of the scorer: run ecom-eval score again on each to compare them"
        )
    lines += [f"{run.name}: {problem}" for run in runs for problem in run.broken]
    return "\n".join([text([_columns(run, keys, heads, several) for run in runs]), *([""] if lines else []), *lines])


def _headline(task: str, scores: TaskScores) -> str | None:
    try:
        return headline(task, scores)
    except InputError:  # a task that this version does not know any more
        return next(iter(scores.metrics), None)


def _columns(run: Listed, keys: Sequence[str], heads: Mapping[str, str], several: bool) -> dict[str, str]:
    tasks = run.scores.tasks if run.scores else {}
    line = {"run": run.name, "started": run.started[:16].replace("T", " "), "status": run.status}
    line |= {"test": _test(run)} if several else {}
    for task, name in sorted(heads.items()):
        score = tasks[task].metrics.get(name) if task in tasks else None
        ends = f" [{score.reason or f'{number(score.low)}, {number(score.high)}'}]" if score else ""
        line[task] = number(score.value) + ends if score else ""
    if heads:
        rows, invalid = (sum(getattr(scores, name) for scores in tasks.values()) for name in ("n", "invalid"))
        line["unreadable"] = share(invalid, rows) if rows else ""
    values = {key: run.recipe.get(key, "") for key in keys}
    return line | {key: v if len(v) <= WIDTH else f"{v[: WIDTH - 1]}…" for key, v in values.items()}


def _test(run: Listed) -> str:
    return str(run.scores.provenance.get("test_sha256", ""))[:8] if run.scores else ""


def text(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as a text table; what a row lacks is left empty.

    >>> print(text([{"run": "a", "value": "0.5"}, {"run": "longer"}, {"value": "0.25"}]).replace(" ", "_"))
    ___run_value
    _____a___0.5
    longer______
    ________0.25
    """
    names = [*dict.fromkeys(name for row in rows for name in row)]
    lines = [names, *([row.get(name, "") for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(" ".join(map(str.rjust, line, widths)) for line in lines)


def of_scores(scores: Scores) -> str:
    """Return the scores as a text table."""
    lines = []
    for task, of_task in scores.tasks.items():
        for name, score in of_task.metrics.items():
            line = {"task": task, "metric": name, "value": number(score.value)}
            line["95 % interval"] = interval(score)
            line["floor"] = f"{number(score.floor)} ({score.floor_by})"
            lines.append(line | {"unreadable": f"{of_task.invalid} of {of_task.n}"})
    return text(lines)


def of_comparison(comparison: Comparison) -> str:
    """Return the comparison as a text table and how to read it; the headline metric of each task carries a star."""
    lines = []
    for pair in comparison.pairs:
        line = {"run": pair.b, "task": pair.task, "metric": pair.metric + (" *" if pair.headline else "")}
        line |= {pair.a: number(pair.value_a), "value": number(pair.value_b), "difference": signed(pair.difference)}
        line |= {"95 % interval": interval(pair, signed), "p (Holm)": chance(pair.p_holm)}
        lines.append(line | {"verdict": ", ".join(filter(None, [pair.verdict, floor_flag(pair.score_b)]))})
    return "\n".join([text(lines), "", *notes(comparison)])


def of_cascade(curves: Sequence[Curve]) -> str:
    """Return a cascade as a text table: both ends, half of the rows sent with its floor, and the verdict."""
    lines = []
    for curve in curves:
        half = next(point for point in curve.points if point.share == 0.5)
        line = {"task": curve.task, "metric": curve.metric, "small": number(curve.points[0].value)}
        line |= {"half sent": number(half.value), "half at random": number(half.random)}
        line |= {"large": number(curve.points[-1].value), "mean gain": signed(curve.gain.area)}
        lines.append(line | {"95 % interval": interval(curve.gain, signed), "verdict": curve.gain.verdict})
    return text(lines)


def gate(comparison: Comparison) -> tuple[bool, list[str]]:
    """Return whether no task's headline metric is significantly worse, and a sentence for each task of each later run.

    A task that is too small for a verdict fails no gate, and its sentence says so.
    """
    heads = [pair for pair in comparison.pairs if pair.headline]
    return all(pair.verdict != "worse" for pair in heads), [_gate_line(pair) for pair in heads]


def _gate_line(pair: Pair) -> str:
    said = f"is {pair.verdict} {'from' if pair.verdict.endswith('differ') else 'than'}"
    mark = "fail" if pair.verdict == "worse" else "pass"
    if pair.verdict == NO_VERDICT:
        mark, said = "none", "has no verdict against"
    chances = "" if pair.p_holm is None else f", p {chance(pair.p_holm)}"
    return (
        f"{mark}: {pair.b} {said} {pair.a} on {pair.task}: {title(pair.metric)} {number(pair.value_a)} to "
        f"{number(pair.value_b)}, {signed(pair.difference)} [{interval(pair, signed)}]{chances}"
    )
