"""All runs of a folder at a glance: when, by what recipe, how good; of the recipes only the keys that differ.

What a run is made from stands in its ``run.json`` and ``recipe.yaml``, as ``ecom-train train`` writes them, its scores in
``eval/scores.json``, those on another mix in ``eval-MIX/scores.json``. Any of these may be missing (a baseline has no recipe)
or broken, which the list says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import yaml

from converters.errors import InputError
from eval.report import headline
from eval.score import Scores
from eval.shown import number, title

# Every run has its own of these; they say nothing of the recipe.
OWN = ("output_dir", "dataset_prepared_path")
WIDTH = 40


@dataclass(frozen=True, slots=True)
class Listed:
    """One run: its name, when it began (ISO time), what became of it, its recipe's keys, its scores, and what is broken."""

    name: str
    started: str
    status: str
    recipe: Mapping[str, str] = field(default_factory=dict)
    scores: Scores | None = None
    broken: tuple[str, ...] = ()


def read(folder: Path) -> list[Listed]:
    """Return the runs in a folder, newest first; a folder without any is an :class:`InputError`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: found {'a file' if folder.exists() else 'nothing'}, expected a folder of runs")
    runs = [
        run
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".")
        for run in _evaluations(path)
    ]
    if not runs:
        raise InputError(f"{folder}: found no run, expected folders with run.json or eval/scores.json")
    return sorted(runs, key=lambda run: run.started, reverse=True)


def _evaluations(path: Path) -> Iterator[Listed]:
    """Yield a run, and again each time that it was scored on another mix, under the name that a comparison gives that."""
    own = next((p for p in (path / "eval" / "scores.json", path / "scores.json") if p.is_file()), None)
    if own or (path / "run.json").is_file():
        yield _run(path, path.name, own)
    for scores in sorted(path.glob("eval-*/scores.json")):
        yield _run(path, f"{path.name}/{scores.parent.name}", scores)


def _run(path: Path, name: str, scores: Path | None) -> Listed:
    record, broken = path / "run.json", list[str]()
    about = _decoded(record, dict[str, Any], broken) or {}
    keys = _recipe(path / "recipe.yaml", broken)
    seen = _decoded(scores, Scores, broken) if scores else None
    when = about.get("started") if isinstance(about.get("started"), str) else _changed(scores or record)
    status = str(about.get("status", "")) if record.is_file() else _baseline(seen)
    return Listed(name, str(when), status, keys, seen, tuple(broken))


def _decoded(path: Path, kind: Any, broken: list[str]) -> Any:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        broken.append(f"{path.name} cannot be read")
        return None


def _recipe(path: Path, broken: list[str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        broken.append(f"{path.name} cannot be read")
        return {}
    return {str(key): _value(value) for key, value in found.items() if key not in OWN}


def _value(value: Any) -> str:
    """Return a recipe's value on one line.

    >>> _value([{"path": "a", "type": "b"}]), _value(2e-05), _value(None)
    ('[{path: a, type: b}]', '2.0e-05', '')
    """
    if value is None:
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return " ".join(text.removesuffix("...\n").split())


def _changed(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _baseline(scores: Scores | None) -> str:
    found = (scores.provenance.get("predictions") or {}) if scores else {}
    return f"baseline: {found['baseline']}" if isinstance(found, dict) and found.get("baseline") else "no run.json"


def differing(runs: Sequence[Listed]) -> list[str]:
    """Return the recipe keys in which runs that have a recipe differ, in the recipes' order; a missing key counts as empty."""
    recipes = [run.recipe for run in runs if run.recipe]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    return [key for key in keys if len({recipe.get(key, "") for recipe in recipes}) > 1]


def table(runs: Sequence[Listed]) -> str:
    """Return the runs as a text table, and below it what has to be known to read it."""
    keys = differing(runs)
    heads = {task: name for run in reversed(runs) if run.scores for task, name in _heads(run.scores).items()}
    several = len({_test(run) for run in runs if run.scores}) > 1
    lines = [_line(run, keys, heads, several) for run in runs]
    notes = [f"score: {', '.join(f'{task} {title(name)}' for task, name in sorted(heads.items()))}"] if heads else []
    if several:
        notes.append("the runs' test files differ (column test): only scores of the same test file can be compared")
    notes += [f"{run.name}: {what}" for run in runs for what in run.broken]
    return "\n".join([pd.DataFrame(lines).fillna("").to_string(index=False), *([""] if notes else []), *notes])


def _heads(scores: Scores) -> dict[str, str]:
    found = {}
    for task, scored in scores.tasks.items():
        try:
            found[task] = headline(task, scored) or ""
        except InputError:  # a task that this version does not know any more
            found[task] = next(iter(scored.metrics), "")
    return {task: name for task, name in found.items() if name}


def _line(run: Listed, keys: Sequence[str], heads: Mapping[str, str], several: bool) -> dict[str, str]:
    scores = run.scores.tasks if run.scores else {}
    line = {"run": run.name, "started": run.started[:16].replace("T", " "), "status": run.status}
    line |= {"test": _test(run)} if several else {}
    line |= {task: _score(scores, task, name) for task, name in sorted(heads.items())}
    line |= {"unreadable": _unreadable(run)} if heads else {}
    return line | {key: _clipped(run.recipe.get(key, "")) for key in keys}


def _score(scores: Mapping[str, Any], task: str, name: str) -> str:
    found = scores[task].metrics.get(name) if task in scores else None
    if found is None:
        return ""
    return (
        number(found.value)
        if found.low is None
        else f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"
    )


def _unreadable(run: Listed) -> str:
    found = run.scores.tasks.values() if run.scores else []
    n, invalid = sum(one.n for one in found), sum(one.invalid for one in found)
    return f"{100 * invalid / n:.1f} %" if n else ""


def _test(run: Listed) -> str:
    return str(run.scores.provenance.get("test_sha256", ""))[:8] if run.scores else ""


def _clipped(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
