"""A merged run in other formats, and behind a server.

Uses training and below. Scoring an export is for eval.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, nearest
from converters.io.jsonl import folder_sha256, sha256, write_json
from recipes.runner import process, provenance
from recipes.runner.recipe import FOLDER
from recipes.runner.train import MERGED

EXPORTS, RECORD, MODEL, UNPACKED = "exports", "export.json", "model", "unpacked"
QUANTISED, GGUF = ("fp8", "int8", "awq"), "gguf"
FORMATS = (*QUANTISED, GGUF)
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
        raise InputError(f"{out}: is the export of another merged checkpoint: move it away")
    start, new = time.monotonic(), out / f".{MODEL}"
    shutil.rmtree(new, ignore_errors=True)
    rows = training_rows(provenance.read(run))
    setup = [sys.executable, str(FOLDER / "environment" / "install.py"), "export"]  # does nothing when it is ready
    process.follow(setup, "set-up of .venv-export", run / "logs" / "export-setup.log", echo)
    words = gguf(run, converter, new) if converter else quantising(run, form, rows, new)
    process.follow(words, f"export to {form}", run / "logs" / f"export-{form}.log", echo)
    shutil.rmtree(out / MODEL, ignore_errors=True)
    new.rename(out / MODEL)
    if form == GGUF:
        words = unpacking(run, out / MODEL / f"{run.name}.gguf", out / UNPACKED)
        process.follow(words, "unpacking gguf", run / "logs" / f"export-{form}.log", echo)
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
        raise InputError(f"{run / MERGED}: is not the checkpoint that {provenance.RECORD} records; merge again")
    return digest


def training_rows(record: dict[str, Any]) -> Path:
    """Return the rows that calibrate: the first file that the run was trained on."""
    return Path(record["data"][0]["name"])


def test_rows(run: Path) -> Path:
    """Return the test split of the mix that a run was trained on."""
    return training_rows(provenance.read(run)).with_name("test.jsonl")


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


def unpacking(run: Path, file: Path, out: Path) -> list[str]:
    """Return the command that makes an ordinary checkpoint of a GGUF file, for evaluation."""
    words = [str(ENVIRONMENT / "ecom-train"), "unpack", str(file)]
    return [*words, "--tokenizer", str(run / MERGED), "--out", str(out)]


def evaluated(folder: Path) -> Path:
    """Return the checkpoint of an export that evaluation loads."""
    return folder / UNPACKED if (folder / UNPACKED).is_dir() else folder / MODEL


def packages() -> dict[str, str | None]:
    """Return the versions in the environment for exports."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    versions: dict[str, str | None] = json.loads(process.output([str(ENVIRONMENT / "python"), "-c", code, *PACKAGES]))
    return versions


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
        sizes = ["--batch-size", str(batch_size), "--max-new-tokens", str(max_new_tokens)]
        predicting = ["--checkpoint", str(checkpoint), *sizes]
        scoring = ["--predictions", str(out / "predictions.jsonl")]
        for program, verb, more in ((ENVIRONMENT, "predict", predicting), (HERE, "score", scoring)):
            words = [str(program / "ecom-eval"), verb, "--data", str(data), "--out", str(out), *more]
            process.follow(words, f"{verb} {name}", run / "logs" / f"export-{name}.log", echo)


def scored(folder: Path, checkpoint: Path, data: Path, max_new_tokens: int) -> bool:
    """Tell whether there are scores of this checkpoint, these rows and these settings."""
    if not (folder / "scores.json").is_file():
        return False
    origin = json.loads((folder / "predictions.json").read_bytes())
    wanted = folder_sha256(checkpoint), sha256(data), max_new_tokens
    return wanted == (origin["checkpoint_sha256"], origin["test_sha256"], origin["decoding"]["max_new_tokens"])


def compare(run: Path, names: Sequence[str], echo: Echo) -> dict[str, Any]:
    """Compare exports with the merged checkpoint, row by row, and return the comparison."""
    folders = [str(run / EXPORTS / name) for name in (MERGED, *names)]
    words = [str(HERE / "ecom-eval"), "compare", *folders, "--out", str(run / EXPORTS / "compare")]
    process.follow(words, "compare", run / "logs" / "export-compare.log", echo)
    comparison: dict[str, Any] = json.loads((run / EXPORTS / "compare" / "compare.json").read_bytes())
    return comparison
