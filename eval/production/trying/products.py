"""A pasted product, labelled by the very code that labels a catalogue."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from converters.schema import Listing, Text
from converters.tasks import category
from eval.production.applying import labels
from eval.production.applying.catalog import Item
from eval.production.applying.labels import Label, Labeller
from eval.production.applying.learnt import ATTRIBUTES, CATEGORY
from eval.production.applying.tables import value_text
from eval.production.confidence import Calibration, threshold_of
from eval.production.trying.loading import Loaded
from eval.production.trying.views import Part, Product

HERE = "page"  # the product's id: no prompt shows it
UNREADABLE = "the answer cannot be read"


def label(loaded: Loaded, labeller: Labeller, texts: Sequence[tuple[str, str]]) -> Product | str:
    """Return a product's labels, or why it cannot be asked about; ``texts`` are labels and texts without markup, title first."""
    listing = Listing(HERE, HERE, tuple(Text(*text) for text in texts), path=())
    loaded.noted.clear()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        answers = {task: place / task for task in (CATEGORY, ATTRIBUTES)}
        item, own = Item(HERE, (1,), listing), replace(labeller, spent=[])
        [found] = labels.written(own, [item], place / "labels", answers, lambda *_: None, 1)
    return found.reason or _viewed(loaded, labeller, found)


def _viewed(loaded: Loaded, labeller: Labeller, found: Label) -> Product:
    known, calibration = labeller.learnt, labeller.calibration
    wanted = ATTRIBUTES in known.tasks and known.asked.names(found.category)
    lost = [CATEGORY] * (CATEGORY in known.tasks and not found.category)
    lost += [ATTRIBUTES] * bool(wanted and not found.asked)
    path = category.parse(found.category or "") or ()
    return Product(
        shown=found.texts,
        category=_path(calibration, path, found) if CATEGORY in known.tasks else None,
        identifier=loaded.ids.get(found.category or "", ""),
        levels=tuple(_level(calibration, path, depth, found) for depth in range(1, len(path) + 1)),
        candidates=tuple(text for text in found.candidates if text != found.category),
        attributes=tuple(_attribute(calibration, name, found) for name in found.asked),
        decision=found.decision,
        why=tuple(found.why) if calibration else (),
        notes=(*loaded.noted, *(f"{task}: {UNREADABLE}" for task in lost)),
    )


def _threshold(calibration: Calibration | None, task: str, answer: Any, unit: str) -> float | None:
    return threshold_of(calibration, task, answer, unit) if calibration else None


def _path(calibration: Calibration | None, path: category.Path, found: Label) -> Part:
    threshold = _threshold(calibration, CATEGORY, path, "path")
    return Part("path", found.category or "", found.path_confidence.get("path"), threshold, found.path_decision)


def _level(calibration: Calibration | None, path: category.Path, depth: int, found: Label) -> Part:
    unit = f"level {depth}"
    threshold = _threshold(calibration, CATEGORY, path, unit)
    return Part(unit, path[depth - 1], found.path_confidence.get(unit), threshold)


def _attribute(calibration: Calibration | None, name: str, found: Label) -> Part:
    threshold = _threshold(calibration, ATTRIBUTES, found.values, name)
    text = value_text(found.values[name]) or ""
    return Part(name, text, found.confidence.get(name), threshold, found.decisions.get(name, ""))
