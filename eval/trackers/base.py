"""What of a run a tracker is sent: settings and hashes, the loss curve, all scores, the reports."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io import jsonl
from eval.results import record
from eval.results.schema import Scores

# The recipe's keys by which Axolotl itself logs a training: what names its project there, and its run.
AXOLOTL = {
    "mlflow": {"project": "mlflow_experiment_name", "run": "mlflow_run_name"},
    "trackio": {"project": "trackio_project_name", "run": "trackio_run_name"},
    "wandb": {"project": "wandb_project", "run": "wandb_name", "id": "wandb_run_id"},
}
REPORTS = ("report.html", "report.md")


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent of a run.

    ``identity`` is the run's own, ``named`` what the recipe calls project and run at each tracker. ``curve`` has the numbers of
    every logging step by the trainer's names, ``scores`` numbers by ``score/TASK/METRIC``, with ``/low``, ``/high`` and
    ``/floor`` after it, and ``files`` the path of each file by the name it gets.
    """

    name: str
    folder: Path
    identity: str
    named: Mapping[str, Mapping[str, str]]
    settings: Mapping[str, Any]
    hashes: Mapping[str, str]
    curve: list[tuple[int, dict[str, float]]]
    scores: Mapping[str, float]
    files: Mapping[str, Path]


def of_run(folder: Path) -> Sent:
    """Return what is sent of the run in ``folder``; one without losses and scores is an ``InputError``.

    One that was only scored, such as a baseline or an untuned model, has scores alone.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; 'make runs' lists the runs that are here")
    known = (folder / record.RECORD).is_file()
    trained = record.read(folder) if known else record.Trained(folder, {}, {}, [])
    evaluations = [path for path in sorted(folder.glob("eval*/scores.json")) if _ours(path.parent.name)]
    curve = [(int(line["step"]), numbers) for line in trained.history if "step" in line and (numbers := _numbers(line))]
    scores = dict(pair for path in evaluations for pair in _scores(path))
    if not curve and not scores:
        raise InputError(f"{folder}: has neither losses nor scores to send; train it, or run ecom-eval score")
    files = {f"{path.parent.name}/{name}": path.with_name(name) for path in evaluations for name in REPORTS}
    named = {
        tracker: {what: str(trained.recipe[key]) for what, key in keys.items() if trained.recipe.get(key)}
        for tracker, keys in AXOLOTL.items()
    }
    return Sent(
        name=folder.resolve().name,
        folder=folder,
        identity=record.identity(trained),
        named=named,
        settings=record.settings(trained) | ({"base_model": base} if (base := record.hub_name(trained)) else {}),
        hashes=hashes(trained, evaluations),
        curve=curve,
        scores=scores,
        files={name: path for name, path in {**files, "loss.svg": folder / "loss.svg"}.items() if path.is_file()},
    )


def _ours(name: str) -> bool:
    return name == "eval" or name.startswith("eval-")


def _numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """Return what a tracker can draw of a line of the history; a loss that is no number leaves a gap."""
    pairs = (
        (key, value) for key, value in line.items() if key not in ("step", "epoch") and not isinstance(value, bool)
    )
    return {key: float(value) for key, value in pairs if isinstance(value, int | float) and math.isfinite(value)}


def _scores(path: Path) -> Iterator[tuple[str, float]]:
    """Yield the numbers of one evaluation: ``score/...``, of another mixture's rows ``score-shop/...``."""
    scores = jsonl.decode(path.read_bytes(), Scores, str(path))
    front = f"score{path.parent.name.removeprefix('eval')}"
    for task, of_task in scores.tasks.items():
        yield f"{front}/{task}/rows", float(of_task.n)
        yield f"{front}/{task}/unreadable", float(of_task.invalid)
        for metric, score in of_task.metrics.items():
            yield f"{front}/{task}/{metric}", score.value
            ends = {"low": score.low, "high": score.high, "floor": score.floor}
            yield from ((f"{front}/{task}/{metric}/{end}", value) for end, value in ends.items() if value is not None)


def hashes(trained: record.Trained, evaluations: list[Path]) -> dict[str, str]:
    """Return what the run was made from and what was scored, by hash."""
    found = {key: trained.record.get(key) for key in ("adapter_sha256", "merged_sha256", "template_sha256")}
    found["recipe_sha256"] = trained.record.get("recipe", {}).get("sha256")
    found["commit"] = trained.record.get("git", {}).get("commit")
    for path in evaluations:
        made = jsonl.decode(path.read_bytes(), Scores, str(path)).provenance
        for key in ("test_sha256", "predictions_sha256", "scorer_sha256"):
            found[f"{path.parent.name}/{key}"] = made.get(key)
    return {key: str(value) for key, value in found.items() if value}


def as_drawn(key: str) -> str:
    """Return a trainer's name as transformers writes it for W&B and trackio.

    >>> as_drawn("loss"), as_drawn("eval_loss")
    ('train/loss', 'eval/loss')
    """
    return f"eval/{key.removeprefix('eval_')}" if key.startswith("eval_") else f"train/{key}"


def last_step(sent: Sent) -> int:
    """Return the step at which a run's scores stand: its last."""
    return max((step for step, _ in sent.curve), default=0)
