"""What ``calibration.json`` holds, and its use: raw confidences become calibrated ones, and a decision. Nothing is fitted here.

A *unit* is a part of an answer with a confidence of its own, as ``predictions.jsonl`` names it: ``path`` and ``level 1``,
``level 2``, … of a path, each attribute of a record, ``answer`` of anything else. Its *sort* says what was answered: a record's
``value`` or ``null``, an ``answer`` or an ``abstention``; of any other unit it is the unit's name. Each unit and sort has a curve
and a threshold of its own; a record's attributes that are too rare for that share those of their sort.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from converters import tasks
from converters.core.errors import InputError
from converters.io import jsonl
from eval.metrics.base import Floats
from eval.metrics.generation import abstains

CLOSEST = 1e-6  # to 0 and 1: a probability of 1, which rounding gives, has no log-odds
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Verdict = Literal["accept", "review"]


class Curve(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a raw confidence becomes a calibrated one.

    ``isotonic``: linear between the knots (``x``, ``y``), constant outside. ``platt``: the logistic function of ``slope`` times
    the log-odds plus ``intercept``. ``none``: it stays as it is, and ``why`` says so.
    """

    method: Literal["isotonic", "platt", "none"]
    x: list[Share] = []
    y: list[Share] = []
    slope: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    intercept: float = 0.0
    why: str = ""

    def __post_init__(self) -> None:
        if self.method == "isotonic" and not (self.x and len(self.x) == len(self.y)):
            raise ValueError("expected as many y as x, and at least one")
        if self.x != sorted(self.x) or self.y != sorted(self.y):
            raise ValueError("expected knots that never fall")


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """A figure and its 95 % interval over groups; ``None``: there is none, and ``reason`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


class Threshold(msgspec.Struct, frozen=True, omit_defaults=True):
    """The lowest raw confidence ``at`` which the precision was shown to hold, ``None`` where it was not and ``why``.

    Of the validation's units ``n`` in ``groups`` are accepted, the share ``coverage``, with this ``precision`` and its one-sided
    95 % ``lower`` bound. Without a threshold these are of what was tried: the units of highest confidence.
    """

    at: Share | None
    n: int = 0
    groups: int = 0
    coverage: float = 0.0
    precision: float | None = None
    lower: float | None = None
    why: str = ""


class Tested(msgspec.Struct, frozen=True):
    """What a threshold did on the reported split: ``n`` accepted units in ``groups``, their precision and the coverage.

    ``verdict``: "held" (the precision is the one asked for, or more), "below, within error", "missed" (its whole interval lies
    below) or "nothing accepted".
    """

    n: int
    groups: int
    precision: Value
    coverage: Value
    verdict: str


class Measures(msgspec.Struct, frozen=True):
    """How good the confidences of the reported split are, ``n`` units in ``groups``, before and after calibration.

    ``ece``: expected calibration error over ``bins`` bins of equal mass; ``ece_expected`` is what a perfectly calibrated
    model would show on so many units, were they independent: the error is never 0. ``ece_change``: after minus before. ``brier``:
    mean squared error. ``aurc``: area under the risk-coverage curve; a random order has ``error``, the share of wrong units.
    """

    n: int
    groups: int
    bins: int
    error: float
    ece_before: Value
    ece_after: Value
    ece_change: Value
    ece_expected: float
    brier_before: Value
    brier_after: Value
    aurc: Value


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The curve and the threshold of one unit and sort, fitted on ``n`` units in ``groups``, ``right`` of which were right.

    ``unit`` is ``None`` for what the attributes ``of`` share. ``measures`` and ``tested`` are ``None`` where the reported split
    has no such unit.
    """

    unit: str | None
    sort: str
    of: list[str] = []
    n: int
    groups: int
    right: int
    curve: Curve
    threshold: Threshold
    measures: Measures | None = None
    tested: Tested | None = None


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``calibration.json``.

    ``tasks``: the entries by task. ``whole``: what all thresholds of a task did together on the reported split, a path's as a
    whole; units that no entry is for are not accepted. ``model``: what ``predictions.json`` says of the model, its checkpoint's
    hash among it. ``fitted_on`` and ``reported_on``: files with their hashes, and counts by task: rows, groups, and answers that
    have no outcome.
    """

    precision: Share
    tasks: dict[str, list[Entry]]
    whole: dict[str, Tested] = {}
    model: dict[str, Any]
    fitted_on: dict[str, Any]
    reported_on: dict[str, Any]
    settings: dict[str, Any]
    schema: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a row's answer is taken or looked at by a person, why not taken, and the same for each unit."""

    decision: Verdict
    reasons: tuple[str, ...]
    units: Mapping[str, Verdict]


def load(path: Path, checkpoint_sha256: str | None = None) -> Calibration:
    """Read ``calibration.json``, or the one in a folder.

    A broken file is an :class:`InputError`, and so is the calibration of another model than that of ``checkpoint_sha256``, the
    hash that ``predictions.json`` and the run's record have; ``None`` does not ask.
    """
    file = path / "calibration.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no such file; ecom-eval calibrate makes it")
    found = jsonl.decode(file.read_bytes(), Calibration, str(file))
    known = found.model.get("checkpoint_sha256")
    if checkpoint_sha256 and known != checkpoint_sha256:
        other = str(known)[:12] if known else "no known checkpoint"
        message = f"is of another model: found {other}, expected {checkpoint_sha256[:12]}; run ecom-eval calibrate for this one"
        raise InputError(f"{file}: {message}")
    return found


def sort_of(task: str, answer: Any, unit: str) -> str:
    """Return the sort of a unit of an answer, which is as :func:`eval.scoring.parse.read` reads it.

    >>> sort_of("attributes", {"Color": ("Red",), "Size": ()}, "Size"), sort_of("category", ("Home",), "level 1")
    ('null', 'level 1')
    """
    kind = tasks.get(task).kind
    if kind == "record":
        return "value" if answer.get(unit) else "null"
    return "abstention" if kind == "reply" and abstains(answer) else unit


def log_odds(confidence: Floats) -> Floats:
    """Return ``log(p / (1 - p))`` of probabilities, which are kept :data:`CLOSEST` away from 0 and 1."""
    inside = np.clip(confidence, CLOSEST, 1 - CLOSEST)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def applied(curve: Curve, confidence: Floats) -> Floats:
    """Return calibrated confidences of n raw ones; a curve never falls, and all lie in [0, 1].

    >>> applied(Curve("isotonic", [0.2, 0.8], [0.1, 0.5]), np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [0.1, 0.3, 0.5]
    """
    if curve.method == "isotonic":
        return np.asarray(np.interp(confidence, curve.x, curve.y))
    if curve.method == "platt":
        return np.asarray(np.exp(-np.logaddexp(0.0, -(curve.slope * log_odds(confidence) + curve.intercept))))
    return confidence


def entry_of(calibration: Calibration, task: str, unit: str, sort: str) -> Entry | None:
    """Return the entry for a unit of a sort, its own or the shared one; ``None``: the validation split had none."""
    entries = [entry for entry in calibration.tasks.get(task, ()) if entry.sort == sort]
    return next((entry for entry in entries if entry.unit == unit or unit in entry.of), None)


def calibrated(calibration: Calibration, task: str, answer: Any, units: Mapping[str, float]) -> dict[str, float]:
    """Return the calibrated confidence of each unit of one row, from the raw ones.

    ``answer`` is the row's answer as :func:`eval.scoring.parse.read` reads it; an unreadable one (``None``) has no confidence. A
    unit whose curve is ``none`` keeps its raw confidence; one that the validation split had none of is left out.
    """
    if answer is None:
        return {}
    entries = {unit: entry_of(calibration, task, unit, sort_of(task, answer, unit)) for unit in units}
    return {unit: float(applied(entry.curve, np.array([units[unit]]))[0]) for unit, entry in entries.items() if entry}


def threshold_of(calibration: Calibration, task: str, answer: Any, unit: str) -> float | None:
    """Return the calibrated confidence from which a unit of an answer is accepted, ``None`` if it has no threshold."""
    entry = entry_of(calibration, task, unit, sort_of(task, answer, unit))
    if entry is None or entry.threshold.at is None:
        return None
    return float(applied(entry.curve, np.array([entry.threshold.at]))[0])


def decide(calibration: Calibration, task: str, answer: Any, units: Mapping[str, float]) -> Decision:
    """Decide on one row's answer from its raw confidences; ``answer`` as for :func:`calibrated`.

    A path is accepted by its unit ``path`` alone, a record if each of its attributes is. The decision's ``units`` say the same
    of each attribute and each level, for a caller that takes parts of an answer. What cannot be decided is to be reviewed.
    """
    if answer is None:
        return Decision("review", ("the answer cannot be read",), {})
    doubts = {unit: _doubt(calibration, task, answer, unit, confidence) for unit, confidence in units.items()}
    verdicts: dict[str, Verdict] = {unit: "review" if doubt else "accept" for unit, doubt in doubts.items()}
    whole = ["path"] if tasks.get(task).kind == "path" else [*units]
    reasons = tuple(f"{unit}: {doubt}" for unit in whole if (doubt := doubts.get(unit, "no confidence")))
    if not units:
        reasons = ("no confidence",)
    return Decision("review" if reasons else "accept", reasons, verdicts)


def _doubt(calibration: Calibration, task: str, answer: Any, unit: str, confidence: float) -> str:
    """Say why a unit is to be reviewed, "" if it is accepted."""
    sort = sort_of(task, answer, unit)
    entry = entry_of(calibration, task, unit, sort)
    named = "" if sort == unit else f" of its {sort}"
    if entry is None:
        return f"the validation split tells nothing{named}"
    if entry.threshold.at is None:
        return f"no threshold{named}: {entry.threshold.why}"
    if confidence < entry.threshold.at:
        return f"confidence{named} {confidence:.6g} is below the threshold {entry.threshold.at:.6g}"
    return ""
