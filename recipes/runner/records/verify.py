"""Walks a run's chain of hashes from the raw files to its reports.

raw file → mixture's manifest → rows → recipe, commit, packages, machine → adapter → merged → predictions → scores → report,
comparison. A link holds when the bytes on this disk are those that the next one was made from. What is no longer on this disk is
gone: it neither holds nor is broken.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.io.jsonl import decode, folder_sha256, sha256
from converters.schema import MANIFEST
from recipes.runner.records import layout, provenance
from recipes.runner.records.layout import ADAPTER, MERGED, RECIPE

HOLDS, BROKEN, GONE = "holds", "broken", "not here to check"
REPORTS = Path("reports")
REPORTED = ("scores.json", "rows.jsonl", "report.html", "report.md")
COMPARED = ("compare.json", "compare.html", "compare.md")


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: its name, the file, folder or commit that was checked, and whether it ``HOLDS``."""

    name: str
    subject: str
    state: str


def verify(run: Path) -> Iterator[Link]:
    """Yield every link of a run, from the raw files on; a run without a record is an ``InputError``."""
    record = provenance.read(run)
    sealed = record.get(layout.SEAL) == provenance.seal(record)
    yield Link("record", str(run / layout.RECORD), HOLDS if sealed else BROKEN)
    yield from _data(record)
    yield from _code(run, record)
    for name, folder in (("adapter", run / ADAPTER), ("merged", run / MERGED)):
        if f"{name}_sha256" in record:
            yield _folder(name, folder, record[f"{name}_sha256"])
    if parent := record.get("parent"):
        yield _folder("parent run", Path(parent["path"]), parent["sha256"])
    tests = {sha for mix in record["mixes"] if (sha := _splits(Path(mix["manifest"])).get("test"))}
    for scored in sorted(run.glob("eval*")):  # eval, and eval-MIX of another mixture
        yield from _evaluation(scored, (record.get("merged_sha256"), record.get("adapter_sha256")), tests)
    yield from _evaluation(run / "exports" / MERGED / "eval", [record.get("merged_sha256")], tests)
    for path in sorted(run.glob("exports/*/export.json")):
        export, folder = _json(path), path.parent
        yield Link("exported checkpoint", str(folder), _state(export.get("merged_sha256"), record.get("merged_sha256")))
        yield _folder("export", folder / "model", export.get("sha256"))
        yield from _evaluation(folder / "eval", [export.get("evaluated_sha256")], tests)
    for name, sums in (("comparison", "compare/compare.sha256"), ("parity table", "parity.sha256")):
        if (run / "exports" / sums).is_file():
            yield from _sums(name, run / "exports" / sums, COMPARED if name == "comparison" else ())


def _data(record: Mapping[str, Any]) -> Iterator[Link]:
    for mix in record["mixes"]:
        manifest = Path(mix["manifest"])
        yield from (_file("raw file", Path(item["name"]), item["sha256"]) for item in mix["inputs"])
        yield _file("mixture manifest", manifest, mix["sha256"])
        splits = _splits(manifest)
        yield from (_file("rows", manifest.with_name(f"{name}.jsonl"), sha) for name, sha in splits.items())
        for item in record["data"]:
            if Path(item["name"]).with_name(MANIFEST) == manifest:
                yield Link("rows trained on", item["name"], _state(splits.get(Path(item["name"]).stem), item["sha256"]))


def _splits(manifest: Path) -> dict[str, str]:
    """Return the hash of every split that a manifest names."""
    return {name: split["sha256"] for name, split in _json(manifest).get("splits", {}).items()}


def _code(run: Path, record: Mapping[str, Any]) -> Iterator[Link]:
    commit = record["git"]["commit"]
    present = commit if commit and provenance.in_commit(commit) is not None else None
    dirty = " and uncommitted changes" if record["git"]["dirty"] else ""
    yield Link("commit", f"{commit or 'none recorded'}{dirty}", _state(present, commit))
    if patch := record.get("changes_sha256"):
        yield _file("uncommitted changes", run / layout.PATCH, patch)
    yield _recipe(record, commit)
    yield _file("recipe as it ran", run / RECIPE, record["recipe"]["resolved_sha256"])
    if deepspeed := record.get("deepspeed"):
        yield _file("deepspeed", Path(deepspeed["name"]), deepspeed["sha256"])
    base = record["base_model"]
    if base["sha256"]:
        yield _folder("base model", Path(base["name"]), base["sha256"])
    else:
        cached = provenance.base_model(base["name"])["revision"]
        yield Link("base model", f"{base['name']} at {base['revision']}", _state(cached, base["revision"]))


def _recipe(record: Mapping[str, Any], commit: str | None) -> Link:
    """Return the link to the recipe as it was written; one that was edited since is no longer here, which breaks nothing."""
    recipe = record["recipe"]
    path = Path(recipe.get("path") or f"recipes/{recipe['name']}.yaml")
    committed = provenance.in_commit(commit, path.as_posix()) if commit else None
    hashes = (committed and hashlib.sha256(committed).hexdigest(), sha256(path) if path.is_file() else None)
    return Link("recipe", str(path), HOLDS if recipe["sha256"] in hashes else GONE)


def _evaluation(folder: Path, checkpoints: Sequence[str | None], tests: set[str]) -> Iterator[Link]:
    """Yield the links from a checkpoint to its predictions, scores and reports; a run that was not evaluated has none."""
    scores, origin = _json(folder / "scores.json"), _json(folder / "predictions.json")
    scored = scores.get("provenance", {})
    recorded = scored.get("predictions") or origin
    if not (scores or recorded):
        return
    checkpoint, test = recorded.get("checkpoint_sha256"), recorded.get("test_sha256")
    expected = checkpoint if checkpoint in checkpoints else next(filter(None, checkpoints), None)
    yield Link("predictions' checkpoint", str(folder), _state(checkpoint, expected))
    path = Path(scored.get("test_file", "test.jsonl"))  # of another mixture than the run's its file is hashed
    yield Link("test split", str(path), HOLDS) if test in tests else _file("test split", path, test)
    yield _file("predictions", folder / "predictions.jsonl", recorded.get("predictions_sha256"))
    if not scores:  # never made, or gone from beside its report
        yield from _sums("report", folder / "report.sha256", REPORTED)
        return
    state = GONE if not origin else HOLDS if origin == recorded else BROKEN
    yield Link("predictions' record", str(folder / "predictions.json"), state)
    yield _file("scored predictions", folder / "predictions.jsonl", scored.get("predictions_sha256"))
    yield _file("scored rows", folder / "rows.jsonl", scored.get("rows_sha256"))
    yield from _sums("report", folder / "report.sha256", REPORTED)
    for report in sorted(REPORTS.glob("*")):
        yield from _comparison(report, folder, scored.get("predictions_sha256"))


def _comparison(report: Path, folder: Path, predictions: str | None) -> Iterator[Link]:
    """Yield the links of a comparison with the scores in ``folder``; or else by its own record."""
    sums, scores = report / "compare.sha256", folder / "scores.json"
    if any(path.resolve() == scores.resolve() for _, path in _lines(sums)):
        yield from _sums("comparison", sums, COMPARED)
        return
    run, compared = folder.parent.name, _json(report / "compare.json").get("runs", [])
    names = [other["name"] for other in compared if other["provenance"].get("predictions_sha256") == predictions]
    if run in names or f"{run}/{folder.name}" in names:
        yield Link("comparison", f"{sums}, which does not name {scores}", BROKEN if _lines(sums) else GONE)


def _sums(name: str, path: Path, expected: Sequence[str]) -> Iterator[Link]:
    """Yield the files that a list in the format of ``sha256sum`` names.

    ``expected`` are the files that it was written for: a line that is missing breaks the chain, too.
    """
    sums = _lines(path)
    if not sums:
        yield Link(name, str(path), GONE)
        return
    for digest, file in sums:
        yield _file("scores" if file.name == "scores.json" else name, file, digest)
    missing = [file for file in expected if file not in {file.name for _, file in sums}]
    yield from (Link(name, f"{path}, which does not name {file}", BROKEN) for file in missing)


def _lines(path: Path) -> list[tuple[str, Path]]:
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
    return [(sha, path.parent / name) for sha, _, name in (line.partition("  ") for line in lines)]


def _file(name: str, path: Path, expected: str | None) -> Link:
    return Link(name, str(path), _state(sha256(path) if path.is_file() else None, expected))


def _folder(name: str, path: Path, expected: str | None) -> Link:
    return Link(name, str(path), _state(folder_sha256(path) if path.is_dir() else None, expected))


def _state(actual: str | None, expected: str | None) -> str:
    return GONE if None in (actual, expected) else HOLDS if actual == expected else BROKEN


def _json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, an empty one without the file; one that cannot be read is an ``InputError``."""
    if not path.is_file():
        return {}
    return decode(path.read_bytes(), dict[str, Any], str(path))
