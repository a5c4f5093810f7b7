"""The parity table: every export of a run beside its merged checkpoint, with the difference that each made and what it saves."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.io import jsonl
from converters.io.jsonl import replacing, write_json
from recipes.runner.export import EXPORTS, MODEL, size
from recipes.runner.train import MERGED

COMPARED = ("metric", "difference", "low", "high", "verdict")


def table(run: Path, names: Sequence[str], comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one line a format: bytes of weights, tokens a second, and for each task its headline metric.

    A metric is ``value``, and for an export also ``difference`` to the merged one, its 95 % interval ``low`` to ``high``, and
    the comparison's ``verdict``.
    """
    heads = [pair for pair in comparison["pairs"] if pair["headline"]]
    merged = {pair["task"]: {"metric": pair["metric"], "value": pair["value_a"]} for pair in heads}
    lines = [_line(run, MERGED, run / MERGED, merged)]
    for name in names:
        pairs = [pair for pair in heads if pair["b"] == name]
        metrics = {pair["task"]: {"value": pair["value_b"]} | {key: pair[key] for key in COMPARED} for pair in pairs}
        lines.append(_line(run, name, run / EXPORTS / name / MODEL, metrics))
    return lines


def save(run: Path, names: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> Path:
    """Write the table as JSON and Markdown, with the hashes of both and of what they were made from; return the latter."""
    exports = run / EXPORTS
    tables = [exports / "parity.json", exports / "parity.md"]
    write_json(tables[0], lines)
    with replacing(tables[1]) as file:
        file.write(markdown(lines).encode())
    origins = [exports / name / "eval" / "predictions.json" for name in (MERGED, *names)]
    jsonl.write(exports / "parity.sha256", [*origins, exports / "compare" / "compare.json", *tables])
    return tables[1]


def _line(run: Path, name: str, checkpoint: Path, tasks: Mapping[str, Any]) -> dict[str, Any]:
    origin = json.loads((run / EXPORTS / name / "eval" / "predictions.json").read_bytes())
    speed = origin.get("generated_tokens_per_second") or origin["generated_tokens"] / max(origin["seconds"], 1e-9)
    return {
        "format": name,
        "bytes": size(checkpoint),
        "tokens_per_second": round(speed, 1),
        "device": origin["backend"]["device"],
        "tasks": dict(tasks),
    }


def markdown(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as Markdown."""
    tasks = lines[0]["tasks"]
    heads = ["format", "MB", "tokens/s", *(f"{task}, {metric['metric']}" for task, metric in tasks.items())]
    rows = [
        [
            line["format"],
            f"{line['bytes'] / 1e6:,.1f}",
            f"{line['tokens_per_second']:,.1f}",
            *map(_cell, line["tasks"].values()),
        ]
        for line in lines
    ]
    note = (
        "Differences to `merged`, with their 95 % interval; the verdict goes by p corrected for all comparisons shown (Holm), not"
        " by the interval alone. Tokens/s by transformers"
        f" on {lines[0]['device']}, one after the other: they compare on a machine that does nothing else, and without the"
        " format's own kernels its weights are unpacked, and no faster.\n"
    )
    return "\n".join(["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows)]) + f"\n\n{note}"


def _cell(metric: Mapping[str, Any]) -> str:
    value = f"{metric['value']:.3f}"
    if "difference" not in metric:
        return value
    interval = "one group" if metric["low"] is None else f"{metric['low']:+.3f} to {metric['high']:+.3f}"
    return f"{value} ({metric['difference']:+.3f}; {interval}; {metric['verdict']})"
