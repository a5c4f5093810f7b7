"""Scores and comparisons as pages: self-contained HTML (plots drawn in the template, no script, no network), Markdown, tables.

Everything that comes from rows or names is data: the HTML is written with autoescape, Markdown cells are escaped here.
"""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pandas as pd

from converters import jsonl, tasks
from eval.compare import Comparison, Pair, by_id, changes, leading
from eval.metrics.slots import COUNTS
from eval.runs import Run
from eval.score import Score, ScoredRow, Scores, TaskScores

SHOWN = 3
TEXT = 700
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
NAMES = {
    "rouge_l": "ROUGE-L",
    "unanswerable_f1": "F1 of “unanswerable”",
    "slot_accuracy_stated": "slot accuracy (stated)",
}


def title(name: str) -> str:
    """Return a metric's name for people.

    >>> title("weighted_f1"), title("rouge_l")
    ('weighted F1', 'ROUGE-L')
    """
    return NAMES.get(name, name.replace("_", " ").replace(" f1", " F1"))


def number(value: float | None) -> str:
    """Return three decimals, a dash for nothing."""
    return "–" if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Return three decimals with a sign, a dash for nothing.

    >>> signed(0.25), signed(-0.1), signed(None)
    ('+0.250', '−0.100', '–')
    """
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def chance(p: float | None) -> str:
    """Return a p-value, never as 0.

    >>> chance(0.0312), chance(1e-9)
    ('0.031', '<0.001')
    """
    return "<0.001" if p is not None and p < 0.001 else number(p)


def share(part: float, whole: float) -> str:
    """Return a percentage.

    >>> share(1, 8)
    '12.5 %'
    """
    return f"{100 * part / whole:.1f} %" if whole else "–"


def place(value: float, low: float = 0.0, high: float = 1.0) -> str:
    """Return where on a drawn axis a value lies, in percent; the ends keep clear of the edge.

    >>> place(0.0), place(0.5), place(1.0)
    ('2.00%', '50.00%', '98.00%')
    """
    return f"{2 + 96 * (value - low) / (high - low):.2f}%"


def clip(value: Any, limit: int = TEXT) -> str:
    r"""Return text fit to be looked at: shortened, control characters made visible, what is no text as JSON.

    >>> clip("a\x00b"), clip(None), clip("abcdef", 3)
    ('a␀b', 'null', 'abc … (3 more characters)')
    """
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    more = f" … ({len(text) - limit:,} more characters)" if len(text) > limit else ""
    return _CONTROL.sub(lambda found: chr(0x2400 + ord(found.group()) % 0x80 % 0x21), text[:limit]) + more


def cell(value: Any) -> str:
    """Return text that stays one cell of a Markdown table.

    >>> cell("a|b <i>")
    'a\\\\|b &lt;i&gt;'
    """
    text = " ".join(clip(value).split())
    return re.sub(r"([\\|`*_\[\]])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def floor_flag(score: Score) -> str:
    """Say how a score stands to its floor, nothing if its whole interval lies above."""
    if score.value < score.floor:
        return "below its floor"
    low = score.value if score.low is None else score.low
    return "not shown above its floor" if low <= score.floor else ""


def environment() -> jinja2.Environment:
    """Return the templates with the filters above; ``.html.j2`` is escaped."""
    found = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for function in (title, number, signed, chance, place, clip, cell, floor_flag):
        found.filters[function.__name__] = function
    found.globals |= {"share": share, "COUNTS": COUNTS}
    return found


def _template(name: str) -> str:
    return resources.files("eval").joinpath("templates", name).read_text(encoding="utf-8")


def write(folder: Path, name: str, context: Mapping[str, Any]) -> None:
    """Write ``<name>.html`` and ``<name>.md``."""
    templates = environment()
    for kind in ("html", "md"):
        with jsonl.replacing(folder / f"{name}.{kind}") as file:
            file.write(templates.get_template(f"{name}.{kind}.j2").render(context).encode())


def headline(task: str, scores: TaskScores) -> str | None:
    """Return a task's first metric that is available."""
    return next((name for name in tasks.get(task).metrics if name in scores.metrics), None)


def of_run(run: Run) -> dict[str, Any]:
    """Return what the page of one run shows."""
    found = run.scores.tasks
    sections = [
        {"task": task, "scores": s, "headline": headline(task, s), "wrong": _wrong(run, task)}
        for task, s in found.items()
    ]
    return {"run": run.name, "sections": sections, "provenance": provenance(run.scores.provenance)}


def _wrong(run: Run, task: str) -> list[tuple[ScoredRow, str, float]]:
    rows = [(row, name, row.values[name]) for row in by_id(run, task).values() if (name := leading(row.values))]
    return sorted((line for line in rows if line[2] < 1), key=lambda line: line[2])[:SHOWN]


def of_comparison(comparison: Comparison, runs: Sequence[Run]) -> dict[str, Any]:
    """Return what the page of a comparison shows: one part for each later run, in it one section a task."""
    named = {run.name: run for run in runs}
    parts = []
    for (a, b), pairs in groupby(comparison.pairs, key=lambda pair: (pair.a, pair.b)):
        by_task = [list(found) for _, found in groupby(pairs, key=lambda pair: pair.task)]
        sections = [_section(named[a], named[b], found) for found in by_task]
        parts.append({"a": a, "b": b, "sections": sections, "sentence": _sentence(sections)})
    return {
        "parts_of": parts,
        "comparison": comparison,
        "same": provenance(runs[0].scores.provenance, own=False),
        "own": [(run.name, provenance(run.scores.provenance, own=True)) for run in runs],
        "templates_differ": len({_template_hash(run) for run in runs}) > 1,
    }


def _sentence(sections: Sequence[Mapping[str, Any]]) -> str:
    heads: list[Pair] = [section["headline"] for section in sections]
    said = [
        f"{verdict} on {', '.join(tasks_) or 'none'}"
        for verdict in ("better", "worse", "not shown to differ")
        if (tasks_ := [pair.task for pair in heads if pair.verdict == verdict]) or verdict == "better"
    ]
    low = [pair.task for pair in heads if floor_flag(pair.score_b)]
    return "; ".join(said).capitalize() + (f". Not shown above its floor on {', '.join(low)}." if low else ".")


def _template_hash(run: Run) -> Any:
    return (run.scores.provenance.get("predictions") or {}).get("template_sha256")


def _section(a: Run, b: Run, pairs: Sequence[Pair]) -> dict[str, Any]:
    task = pairs[0].task
    found = changes(a, b, task)
    kinds = {
        "Got worse": [c for c in found if c.value_b < c.value_a],
        "Got better": [c for c in reversed(found) if c.value_b > c.value_a],
        "Still wrong": [c for c in found if c.value_a == c.value_b < 1],
    }
    return {
        "task": task,
        "pairs": pairs,
        "headline": next((pair for pair in pairs if pair.headline), pairs[0]),
        "scores": (a.scores.tasks[task], b.scores.tasks[task]),
        "examples": {kind: (len(rows), rows[:SHOWN]) for kind, rows in kinds.items()},
    }


OWN = ("predictions_sha256", "rows_sha256", "predictions")


def provenance(found: Mapping[str, Any], own: bool | None = None) -> list[tuple[str, str]]:
    """Return provenance as flat lines; ``own``: only what belongs to a single run, or only what runs have in common."""
    lines = []
    for key, value in found.items():
        if own is None or own == (key in OWN):
            lines += _flat(key, value)
    return lines


def _flat(key: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [line for inner, found in value.items() for line in _flat(f"{key}.{inner}", found)]
    return [(key, value if isinstance(value, str) else "none recorded" if value is None else str(value))]


def run_table(scores: Scores) -> str:
    """Return the scores as a text table."""
    lines = [
        {
            "task": task,
            "metric": name,
            "value": number(s.value),
            "95 % interval": _interval(s.low, s.high, number),
            "floor": f"{number(s.floor)} ({s.floor_by})",
            "unreadable": f"{found.invalid} of {found.n}",
        }
        for task, found in scores.tasks.items()
        for name, s in found.metrics.items()
    ]
    return pd.DataFrame(lines).to_string(index=False)


def comparison_table(comparison: Comparison) -> str:
    """Return the comparison as a text table; the headline metric of each task carries a star."""
    lines = [
        {
            "run": pair.b,
            "task": pair.task,
            "metric": pair.metric + (" *" if pair.headline else ""),
            pair.a: number(pair.value_a),
            "value": number(pair.value_b),
            "difference": signed(pair.difference),
            "95 % interval": _interval(pair.low, pair.high, signed),
            "p (Holm)": chance(pair.p_holm),
            "verdict": ", ".join(filter(None, [pair.verdict, floor_flag(pair.score_b)])),
        }
        for pair in comparison.pairs
    ]
    return pd.DataFrame(lines).to_string(index=False)


def _interval(low: float | None, high: float | None, shown: Any) -> str:
    return "one group" if low is None else f"{shown(low)} to {shown(high)}"
