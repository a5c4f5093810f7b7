"""Exports a merged run (fp8, int8, awq, gguf) and compares the export's scores with its own."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, nearest
from converters.io import jsonl
from converters.io.jsonl import folder_sha256, replacing, sha256, write_json
from recipes.runner.recipe import FOLDER
from recipes.runner.records import layout, provenance
from recipes.runner.records.layout import MERGED
from recipes.runner.records.provenance import training_rows
from recipes.runner.training import process

EXPORTS, RECORD, MODEL, UNPACKED = "exports", "export.json", "model", "unpacked"
GGUF = "gguf"
FORMATS = ("fp8", "int8", "awq", GGUF)
COMPARED = ("metric", "difference", "low", "high", "reason", "verdict")
HERE, ENVIRONMENT = Path(sys.executable).parent, FOLDER.parent / ".venv-export" / "bin"
PACKAGES = ("llmcompressor", "compressed-tensors", "torch", "transformers", "gguf")

Echo = Callable[[bytes], None]


def export(run: Path, form: str, converter: Path | None, echo: Echo) -> Path:
    """Return the folder of the export; one of the same merged checkpoint is used again."""
    if form not in FORMATS:
        raise InputError(f"unknown format {form!r}{nearest(form, list(FORMATS))}")
    if form == GGUF and not converter:
        raise InputError("gguf is made by llama.cpp: name its program with --converter .../convert_hf_to_gguf.py")
    merged, out = merged_sha256(run), run / EXPORTS / form
    if (out / RECORD).is_file():
        if json.loads((out / RECORD).read_bytes())["merged_sha256"] == merged:
            return out
        raise InputError(f"{out}: is the export of another merged checkpoint; move it away")
    start, new = time.monotonic(), out / f".{MODEL}"
    shutil.rmtree(new, ignore_errors=True)
    rows = training_rows(provenance.read(run))
    setup = [sys.executable, str(FOLDER / "environment" / "install.py"), "export"]  # does nothing when it is ready
    process.follow(setup, "set-up of .venv-export", run / "logs" / "export-setup.log", echo)
    words = gguf(run, converter, new) if form == GGUF and converter else quantising(run, form, rows, new)
    log = run / "logs" / f"export-{form}.log"
    process.follow(words, f"export to {form}", log, echo)
    shutil.rmtree(out / MODEL, ignore_errors=True)
    new.rename(out / MODEL)
    if form == GGUF:  # an ordinary checkpoint of it, for evaluation
        words = [str(ENVIRONMENT / "ecom-train"), "unpack", str(out / MODEL / f"{run.name}.gguf")]
        words += ["--tokenizer", str(run / MERGED), "--out", str(out / UNPACKED)]
        process.follow(words, "unpacking gguf", log, echo)
    record = {
        "format": form,
        "merged_sha256": merged,
        "sha256": folder_sha256(out / MODEL),
        "evaluated_sha256": folder_sha256(evaluated(out)),
        "bytes": size(out / MODEL),
        "calibration": None if form in ("fp8", GGUF) else {"name": str(rows), "sha256": sha256(rows)},
        "packages": packages(),
        "seconds": round(time.monotonic() - start, 1),
    }
    write_json(out / RECORD, record)
    return out


def merged_sha256(run: Path) -> str:
    """Return the hash of a run's merged checkpoint; a missing one, or another than was recorded, is an ``InputError``."""
    record = provenance.read(run)
    if record["status"] != "merged" or not (run / MERGED).is_dir():
        raise InputError(f"{run}: found status {record['status']!r}, expected a merged run: make merge-{run.name}")
    if (digest := folder_sha256(run / MERGED)) != record["merged_sha256"]:
        raise InputError(f"{run / MERGED}: is not the checkpoint that {layout.RECORD} records; merge again")
    return digest


def scorable(run: Path) -> list[str]:
    """Return the exports that a run has."""
    return [form for form in FORMATS if (run / EXPORTS / form / RECORD).is_file()]


def quantising(run: Path, form: str, rows: Path, out: Path) -> list[str]:
    """Return the command that quantises a run's merged checkpoint."""
    command = [str(ENVIRONMENT / "ecom-train"), "quantise", str(run / MERGED)]
    return [*command, "--format", form, "--data", str(rows), "--out", str(out)]


def gguf(run: Path, converter: Path, out: Path) -> list[str]:
    """Return the command of llama.cpp's converter: 8-bit weights, one file."""
    out.mkdir(parents=True)
    file = out / f"{run.name}.gguf"
    return [str(ENVIRONMENT / "python"), str(converter), str(run / MERGED), "--outfile", str(file), "--outtype", "q8_0"]


def evaluated(folder: Path) -> Path:
    """Return the checkpoint of an export that evaluation loads."""
    return folder / UNPACKED if (folder / UNPACKED).is_dir() else folder / MODEL


def packages() -> dict[str, str | None]:
    """Return the versions in the environment for exports."""
    path = list(map(str, ENVIRONMENT.parent.glob("lib/python*/site-packages")))
    return {name: next((d.version for d in distributions(name=name, path=path)), None) for name in PACKAGES}


def size(folder: Path) -> int:
    """Return the bytes of a checkpoint's weights."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in (".safetensors", ".gguf"))


def evaluate(run: Path, names: Sequence[str], data: Path, batch_size: int, max_new_tokens: int, echo: Echo) -> None:
    """Predict and score ``names`` ("merged" or formats) in the environment for exports, except what is scored already."""
    for name in names:
        folder = run / EXPORTS / name
        checkpoint, out = run / MERGED if name == MERGED else evaluated(folder), folder / "eval"
        if scored(out, checkpoint, data, max_new_tokens):
            continue
        predict = ["--checkpoint", str(checkpoint), "--batch-size", str(batch_size)]
        predict += ["--max-new-tokens", str(max_new_tokens)]
        score = ["--predictions", str(out / "predictions.jsonl")]
        for program, verb, more in ((ENVIRONMENT, "predict", predict), (HERE, "score", score)):
            words = [str(program / "ecom-eval"), verb, "--data", str(data), "--out", str(out), *more]
            process.follow(words, f"{verb} {name}", run / "logs" / f"export-{name}.log", echo)


def scored(folder: Path, checkpoint: Path, data: Path, max_new_tokens: int) -> bool:
    """Tell whether there are scores of this checkpoint, these rows and these settings."""
    if not (folder / "scores.json").is_file():
        return False
    origin = json.loads((folder / "predictions.json").read_bytes())
    recorded = origin["checkpoint_sha256"], origin["test_sha256"], origin["decoding"]["max_new_tokens"]
    return recorded == (folder_sha256(checkpoint), sha256(data), max_new_tokens)


def compare(run: Path, names: Sequence[str], echo: Echo) -> dict[str, Any]:
    """Compare exports with the merged checkpoint, row by row, and return the comparison."""
    folders = [str(run / EXPORTS / name) for name in (MERGED, *names)]
    words = [str(HERE / "ecom-eval"), "compare", *folders, "--out", str(run / EXPORTS / "compare")]
    process.follow(words, "compare", run / "logs" / "export-compare.log", echo)
    comparison: dict[str, Any] = json.loads((run / EXPORTS / "compare" / "compare.json").read_bytes())
    return comparison


def table(run: Path, names: Sequence[str], comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one line a format: bytes of weights, tokens a second, and for each task its headline metric.

    A metric is ``value``, and for an export also ``difference`` to the merged one, its 95 % interval ``low`` to ``high`` or
    the ``reason`` why there is none, and the comparison's ``verdict``.
    """
    heads = [pair for pair in comparison["pairs"] if pair["headline"]]
    merged = {pair["task"]: {"metric": pair["metric"], "value": pair["value_a"]} for pair in heads}
    lines = [_line(run, MERGED, run / MERGED, merged)]
    for name in names:
        pairs = [pair for pair in heads if pair["b"] == name]
        metrics = {pair["task"]: {"value": pair["value_b"]} | {key: pair[key] for key in COMPARED} for pair in pairs}
        lines.append(_line(run, name, run / EXPORTS / name / MODEL, metrics))
    return lines


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


def save(run: Path, names: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> Path:
    """Write the table as JSON and Markdown, with the hashes of both and of what they were made from; return the latter."""
    exports = run / EXPORTS
    table, page = exports / "parity.json", exports / "parity.md"
    write_json(table, lines)
    with replacing(page) as file:
        file.write(markdown(lines).encode())
    origins = [exports / name / "eval" / "predictions.json" for name in (MERGED, *names)]
    jsonl.write_checksums(exports / "parity.sha256", [*origins, exports / "compare" / "compare.json", table, page])
    return page


def markdown(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as Markdown."""
    tasks = (f"{task}, {metric['metric']}" for task, metric in lines[0]["tasks"].items())
    rows = [["format", "MB", "tokens/s", *tasks]]
    rows.append(["---"] * len(rows[0]))
    for line in lines:
        figures = [f"{line['bytes'] / 1e6:,.1f}", f"{line['tokens_per_second']:,.1f}"]
        rows.append([line["format"], *figures, *map(_cell, line["tasks"].values())])
    note = (
        "Differences to `merged`, with their 95 % interval; the verdict goes by p corrected for all comparisons shown (Holm), not"
        " by the interval alone. Tokens/s by transformers"
        f" on {lines[0]['device']}, one after the other: they compare on a machine that does nothing else, and without the"
        " format's own kernels its weights are unpacked, and no faster.\n"
    )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + f"\n{note}"


def _cell(metric: Mapping[str, Any]) -> str:
    value = f"{metric['value']:.3f}"
    if "difference" not in metric:
        return value
    interval = metric["reason"] or f"{metric['low']:+.3f} to {metric['high']:+.3f}"
    return f"{value} ({metric['difference']:+.3f}; {interval}; {metric['verdict']})"
