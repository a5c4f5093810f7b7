"""The page of a calibration: reliability, risk and coverage, and what the thresholds did, task by task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.core.html import count, share
from converters.io import jsonl
from eval.production.confidence.calibrate import Key
from eval.production.confidence.calibration import Calibration, Entry
from eval.production.confidence.measures import Drawn
from eval.report import console, pages
from eval.report.run_page import provenance

WIDTH, HEIGHT = 320, 240  # of a plot, without the space for its labels
PLOTS, ENTRIES = 12, 100  # of a task: entries that are drawn, entries that are listed
Points = list[tuple[float, float]]


def name(entry: Entry) -> str:
    """Return what an entry is called: its unit, its sort where that says more, or how many attributes share it.

    >>> from eval.production.confidence.calibration import Curve, Threshold
    >>> rest = {"n": 9, "groups": 9, "right": 9, "curve": Curve("none"), "threshold": Threshold(None)}
    >>> name(Entry(unit="Color", sort="null", **rest)), name(Entry(unit=None, sort="value", of=["Fit"], **rest))
    ('Color, null', '1 rarer attribute, value')
    """
    if entry.unit is None:
        return f"{len(entry.of)} rarer attribute{'s' if len(entry.of) > 1 else ''}, {entry.sort}"
    return entry.sort if entry.sort in ("abstention", entry.unit) else f"{entry.unit}, {entry.sort}"


def of_calibration(calibration: Calibration, drawn: Mapping[Key, Drawn]) -> dict[str, Any]:
    """Return what the page shows; ``drawn`` has the plots of the entries that the reported split has, by task, unit and sort."""
    apart = calibration.reported_on != calibration.fitted_on
    sections = [
        {
            "task": task,
            "entries": [(name(entry), entry, entry.tested) for entry in entries[:ENTRIES]],
            "further": max(0, len(entries) - ENTRIES),
            "plots": [
                {"name": name(entry), "entry": entry, **plots(found)}
                for entry in entries
                if (found := drawn.get((task, entry.unit, entry.sort)))
            ][:PLOTS],
            "whole": calibration.whole.get(task),
            "fitted": calibration.fitted_on["tasks"][task],
            "reported": calibration.reported_on["tasks"].get(task, {}),
        }
        for task, entries in calibration.tasks.items()
    ]
    origin = {"model": calibration.model, "fitted on": _files(calibration.fitted_on)}
    origin |= {"reported on": _files(calibration.reported_on)} if apart else {}
    return {
        "precision": calibration.precision,
        "apart": apart,
        "sections": sections,
        "token_f1": calibration.settings["token_f1"],
        "origin": provenance(origin | calibration.settings),
        "width": WIDTH,
        "height": HEIGHT,
    }


def _files(account: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in account.items() if key != "tasks"}


def plots(found: Drawn) -> dict[str, Any]:
    """Return the coordinates of an entry's two plots, in units of the drawing, the origin at the top left."""
    shares = [share for bin_ in found.bins for share in bin_[1:]]
    low = int(10 * min(shares)) / 10 if min(shares) < 1 else 0.9  # confidences crowd next to 1
    highest = max(risk for _, risk in (*found.curve, (0, 0.01)))
    return {
        "low": low,
        "before": _scaled([(before, right) for _, before, _, right in found.bins], low, low, 1.0),
        "after": _scaled([(after, right) for _, _, after, right in found.bins], low, low, 1.0),
        "bins": found.bins,
        "highest": highest,
        "curve": _scaled(found.curve, 0.0, 0.0, highest),
        "random": _scaled([(0.0, found.curve[-1][1])], 0.0, 0.0, highest)[0][1],
        "chosen": _scaled([found.chosen], 0.0, 0.0, highest)[0] if found.chosen else None,
    }


def _scaled(points: Sequence[tuple[float, float]], left: float, bottom: float, top: float) -> Points:
    """Return points in the drawing's units, between ``left`` and 1 across, between ``bottom`` and ``top`` upwards."""
    return [
        (round(WIDTH * (x - left) / (1 - left), 1), round(HEIGHT * (1 - (y - bottom) / (top - bottom)), 1))
        for x, y in points
    ]


def table(calibration: Calibration) -> str:
    """Return the thresholds as a text table, and why units have none below it."""
    found = [(task, entry) for task, entries in calibration.tasks.items() for entry in entries]
    reasons = [f"{task}, {name(e)}: no threshold: {e.threshold.why}" for task, e in found if e.threshold.at is None]
    lines = [console.text([{"task": task, **_line(entry)} for task, entry in found[:ENTRIES]])]
    return "\n".join([*lines, *([""] if reasons else []), *reasons[:ENTRIES]])


def _line(entry: Entry) -> dict[str, str]:
    m, t, tested = entry.measures, entry.threshold, entry.tested
    line = {"unit": pages.clip(name(entry), 40), "units": count(entry.n), "curve": entry.curve.method}
    if m:
        line["ECE"] = f"{pages.number(m.ece_before.value)} to {pages.number(m.ece_after.value)}"
    line["threshold"] = "none" if t.at is None else f"{t.at:.6g}"
    if tested:
        ends = f" [{tested.precision.reason or f'{pages.number(tested.precision.low)}, {pages.number(tested.precision.high)}'}]"
        line["precision"] = pages.number(tested.precision.value) + ends
        line["coverage"] = share(tested.coverage.value or 0)
        line["verdict"] = tested.verdict
    return line


def write(folder: Path, calibration: Calibration, drawn: Mapping[Key, Drawn]) -> Path:
    """Write ``confidence.html`` and return its path."""
    page = pages.templates().get_template("confidence.html.j2").render(of_calibration(calibration, drawn))
    with jsonl.replacing(folder / "confidence.html") as file:
        file.write(page.encode())
    return folder / "confidence.html"
