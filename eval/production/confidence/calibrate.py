"""``ecom-eval calibrate``: reads a validation split's predictions and a test split's, fits on the one, reports on the other."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from converters import tasks
from converters.core.errors import InputError
from converters.io import jsonl
from eval.metrics import _normalise
from eval.production.confidence import fit, measures, outcomes, thresholds
from eval.production.confidence.calibration import Calibration, Entry, Tested
from eval.production.confidence.outcomes import Outcome, Units
from eval.results import runs
from eval.results.schema import Settings

# The effective groups from which an attribute has a curve and a threshold of its own, and how many times those that a threshold
# needs if no unit is wrong: between the two there is something to search.
OWN, SEARCHED = 100, 2
MODEL = ("checkpoint", "checkpoint_sha256", "adapter_base", "template_sha256", "decoding", "backend")
SAME = ("checkpoint_sha256", "template_sha256", "decoding")  # what two splits' predictions must agree in
VERSIONS = ("ecom-llm-recipes", "numpy", "scikit-learn", "scipy")

ByKey = dict[tuple[str, str], list[Outcome]]  # by unit and sort
Key = tuple[str, str | None, str]  # of an entry: task, unit, sort


@dataclass(frozen=True, slots=True)
class Split:
    """A split's outcomes by task, and the record beside its predictions."""

    data: Path
    predictions: Path
    tasks: Mapping[str, outcomes.Task]
    origin: Mapping[str, Any]

    @property
    def account(self) -> dict[str, Any]:
        """Return its files with their hashes, and how many of each task's rows have no outcome."""
        return {
            "data": self.data.as_posix(),
            "data_sha256": jsonl.sha256(self.data),
            "predictions_sha256": jsonl.sha256(self.predictions),
            "tasks": {name: {**task.counts, "groups": len(task.groups)} for name, task in self.tasks.items()},
        }


def read(data: Path, predictions: Path, normaliser: str) -> Split:
    """Read a split; predictions that belong to other rows or hold no confidences are an :class:`InputError`."""
    answered = runs.read_predictions(data, predictions)
    origin = runs.read_origin(predictions, jsonl.sha256(data)) or {}
    found = outcomes.of_pairs(answered, _normalise.normaliser(normaliser))
    if not any(task.outcomes for task in found.values()):
        told = sum(task.counts["unknown"] for task in found.values())
        what = "confidences of other units than its answers have" if told else "no confidences"
        raise InputError(f"{predictions}: found {what}; make them with ecom-eval predict --confidence")
    return Split(data, predictions, dict(sorted(found.items())), origin)


def check_held_out(data: Path) -> None:
    """Refuse to fit on the split that a mixture trains on or is tested on: a file of its own beside ``data`` says so."""
    for name in ("test", "train"):
        beside = data.with_name(f"{name}.jsonl")
        if beside.is_file() and jsonl.sha256(beside) == jsonl.sha256(data):
            raise InputError(
                f"{data}: is the {name} split; calibrate on the validation split, {data.with_name('validation.jsonl')}"
            )


def check_apart(fitted: Split, reported: Split) -> None:
    """Refuse splits that share a group, and predictions of two models or of two ways to ask one."""
    groups = [{group for task in split.tasks.values() for group in task.groups} for split in (fitted, reported)]
    if shared := sorted(groups[0] & groups[1]):
        raise InputError(
            f"{reported.data}: shares {len(shared)} groups with {fitted.data}, such as {shared[0]!r}; a calibration is reported "
            "on products that it was not fitted on"
        )
    if fitted.origin and reported.origin:
        both = fitted.tasks.keys() & reported.tasks.keys()
        for key in SAME:
            ours, theirs = (_asked(split.origin.get(key), both) for split in (fitted, reported))
            if ours != theirs:
                message = f"was made with another {key} than {fitted.predictions}: {_short(theirs)}, not {_short(ours)}"
                raise InputError(f"{reported.predictions}: {message}")


def _asked(value: Any, both: Container[str]) -> Any:
    """Return a setting without what depends on the rows that were asked: ids of demonstrations, tasks that one split lacks."""
    if not isinstance(value, dict):
        return value
    kept = {key: _asked(inner, both) for key, inner in value.items() if key != "ids"}
    if isinstance(kept.get("tasks"), dict):
        kept["tasks"] = {task: limit for task, limit in kept["tasks"].items() if task in both}
    return kept


def _short(value: Any) -> str:
    return str(value)[:12] if isinstance(value, str) else str(value)[:200]


def calibrate(
    fitted: Split,
    reported: Split | None,
    precision: float,
    settings: Settings,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Calibration, dict[Key, measures.Drawn]]:
    """Return the calibration, and what is drawn of each entry that the reported split has.

    Without ``reported``, the measures are of the very rows that the curves were fitted on, and no threshold is tested.
    """
    drawn: dict[Key, measures.Drawn] = {}
    found: dict[str, list[Entry]] = {}
    whole: dict[str, Tested] = {}
    for task, of_task in fitted.tasks.items():
        tell(f"calibrating {task}: {len(of_task.outcomes):,} units")
        here, there = (_by_key(split.tasks.get(task, outcomes.Task())) for split in (fitted, reported or fitted))
        found[task] = []
        for unit, sort, of in parts(task, here, precision):
            keys = _keys(unit, sort, of)
            entry = _entry(unit, sort, of, _units(here, keys), precision)
            if any(key in there for key in keys):
                others = _units(there, keys)
                entry = _reported(entry, others, precision, settings, reported is not None)
                drawn[task, unit, sort] = measures.drawn(others, entry.curve, entry.threshold.at)
            found[task].append(entry)
        if reported and (taken := _whole(task, found[task], there)) is not None:
            whole[task] = measures.tested(taken, 1.0, precision, settings)
    calibration = Calibration(
        precision=precision,
        tasks=found,
        whole=whole,
        model={key: fitted.origin[key] for key in MODEL if key in fitted.origin},
        fitted_on=fitted.account,
        reported_on=(reported or fitted).account,
        settings={
            "normaliser": settings.normaliser,
            "token_f1": outcomes.TOKEN_F1,
            "resamples": settings.resamples,
            "seed": settings.seed,
            "versions": {name: metadata.version(name) for name in VERSIONS},
        },
    )
    return calibration, drawn


def _by_key(task: outcomes.Task) -> ByKey:
    found: ByKey = defaultdict(list)
    for outcome in task.outcomes:
        found[outcome.unit, outcome.sort].append(outcome)
    return dict(found)


def _keys(unit: str | None, sort: str, of: list[str]) -> list[tuple[str, str]]:
    return [(name, sort) for name in (of if unit is None else [unit])]


def _units(found: ByKey, keys: Iterable[tuple[str, str]]) -> Units:
    return outcomes.units(outcome for key in keys for outcome in found.get(key, ()))


def parts(task: str, found: ByKey, precision: float) -> list[tuple[str | None, str, list[str]]]:
    """Return the entries of a task: (unit, sort, []) each, and (``None``, sort, attributes) for attributes that share one.

    A record's attribute has its own if its groups are worth enough for a search for a threshold, and at least :data:`OWN`.
    """
    if tasks.get(task).kind != "record":
        return [(unit, sort, []) for unit, sort in found]
    least = max(OWN, SEARCHED * thresholds.needed(precision))
    own: list[tuple[str | None, str, list[str]]] = []
    shared: dict[str, list[str]] = defaultdict(list)
    for (unit, sort), those in sorted(found.items(), key=lambda item: -len(item[1])):
        if outcomes.units(those).worth < least:
            shared[sort].append(unit)
        else:
            own.append((unit, sort, []))
    return own + [(None, sort, of) for sort, of in sorted(shared.items(), reverse=True)]


def _entry(unit: str | None, sort: str, of: list[str], units: Units, precision: float) -> Entry:
    return Entry(
        unit=unit,
        sort=sort,
        of=of,
        n=len(units.right),
        groups=len({*units.groups}),
        right=int(units.right.sum()),
        curve=fit.fit(units),
        threshold=thresholds.choose(units, precision),
    )


def _reported(entry: Entry, units: Units, precision: float, settings: Settings, apart: bool) -> Entry:
    at = entry.threshold.at
    found = measures.measure(units, entry.curve, settings)
    tested = measures.tested(units, at, precision, settings) if apart and at is not None else None
    return msgspec.structs.replace(entry, measures=found, tested=tested)


def _whole(task: str, entries: Iterable[Entry], there: ByKey) -> Units | None:
    """Return a task's units with confidence 1 where their own threshold accepts them, else 0; a path as a whole alone."""
    at = {key: entry.threshold.at for entry in entries for key in _keys(entry.unit, entry.sort, entry.of)}
    keys = [key for key in there if tasks.get(task).kind != "path" or key[0] == "path"]
    those = [
        outcome._replace(confidence=float((least := at.get(key)) is not None and outcome.confidence >= least))
        for key in keys
        for outcome in there[key]
    ]
    return outcomes.units(those) if those else None
