"""How sure a run is of an answer, and whether it is taken: by the run's calibration, if it has one.

A calibration was fitted on rows that were asked for what is known of them. A product is asked for all attributes of its category,
of which it may state few, and a model that rarely saw a null makes a value up, or gives one attribute's value to another, too. So
whatever its confidence, a value that the text does not hold, or that two attributes have, is left to a person, unless training
had such values.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

from converters.core.errors import InputError
from converters.schema import Row
from converters.tasks import category
from converters.text import units
from converters.text.sanitize import one_line
from converters.text.spelling import spelling
from eval.inference import confidence as raw
from eval.inference.backends.base import Answer
from eval.production import confidence
from eval.production.confidence import Calibration
from eval.scoring import parse

FILE = "confidence/calibration.json"  # of a run
ACCEPT, REVIEW = "accept", "review"
RAW, UNKNOWN = "no calibration: the confidences are raw", "confidence is not available"
NO_ANSWER = "no answer"
NOT_IN_TEXT = "its value is not in the text"
NOT_TRAINED = "path: never occurs in training"
NARROWED = "path: chosen among fewer paths than the calibration was made with"
DIGITS = 6
_MINUS = "-−–‒"
_BELOW = re.compile(rf"\s*[{_MINUS}]\s?(?=\d)")


class Judged(NamedTuple):
    """An answer as its task reads it (``None``: unreadable), its units' confidences, whether it is taken, and why not.

    ``confidence`` is calibrated where there is a calibration, ``None`` where the backend tells no log-probabilities. ``units``
    says of each attribute, and of the path and its levels, whether it is taken.
    """

    answer: Any
    confidence: Mapping[str, float] | None
    decision: str
    why: tuple[str, ...]
    units: Mapping[str, str] = {}


def calibration_of(
    run: Path, checkpoint_sha256: str | None, precision: float | None, constrained: bool
) -> Calibration | None:
    """Return a run's calibration, if it has one.

    One of another checkpoint, for another ``precision``, or of answers that were ``constrained`` where these are not, is an
    ``InputError``: its thresholds would not hold.
    """
    file, command = run / FILE, f"make calibrate RUN={run.name}"
    if not file.is_file():
        if precision is None:
            return None
        wanted = f"{command} PRECISION={precision:g}"
        raise InputError(f"{file}: no such file, and without it no threshold for --precision; run: {wanted}")
    found = confidence.load(file, checkpoint_sha256)
    if precision is not None and precision != found.precision:
        wanted = f"{command} PRECISION={precision:g}"
        raise InputError(f"{file}: has thresholds for precision {found.precision:g}, not {precision:g}; run: {wanted}")
    if bool(found.model.get("decoding", {}).get("constrain")) != constrained:
        was, mend = ("free", "with --no-constrain") if constrained else ("constrained", "without --no-constrain")
        raise InputError(
            f"{file}: was made from answers that were {was}, whose confidences are others: run {mend}, or calibrate again"
        )
    return found


def judged(row: Row, answer: Answer, calibration: Calibration | None) -> Judged:
    """Read the answer to a row without a target, and decide on it."""
    if answer.prediction is None:
        return Judged(None, {}, REVIEW if calibration else "", (NO_ANSWER,))
    found, sure = parse.read(row.task, answer.prediction, row.extra), raw.of_row(row, [answer])
    if calibration is None or sure is None:
        why = RAW if sure is not None else UNKNOWN
        return Judged(found, sure, REVIEW if calibration else "", (why,))
    decided = confidence.decide(calibration, row.task, found, sure)
    better = confidence.calibrated(calibration, row.task, found, sure)
    shown = {unit: round(value, DIGITS) for unit, value in better.items()}
    return Judged(found, shown, decided.decision, decided.reasons, decided.units)


def familiar(given: Judged, paths: Collection[str], narrowed: bool = False) -> Judged:
    """Return a decided category as one to review where its path is none of training's: no calibration holds for it.

    Nor does one where an answer was ``narrowed`` to some of training's paths: the likeliest of a few wrong ones looks sure.
    """
    if not given.decision or not given.answer:
        return given
    why = [NARROWED] * narrowed + [NOT_TRAINED] * (category.render(given.answer) not in paths)
    return (
        given._replace(decision=REVIEW, why=(*given.why, *why), units={**given.units, "path": REVIEW}) if why else given
    )


def grounded(
    given: Judged, texts: Collection[str], implied: Collection[str], shared: Collection[frozenset[str]] = ()
) -> Judged:
    """Return a decided record with attributes to review whose value no text holds, or another attribute has, too.

    Values of those ``implied`` need not stand in a text, and the pairs ``shared`` may have the same. The end of a text and the
    beginning of the next one hold nothing together.
    """
    if not given.decision or not given.answer:
        return given
    lines, told = [*map(one_line, texts)], dict[str, str]()
    for name, other in same(given.answer):
        if frozenset((name, other)) not in shared:
            told.setdefault(name, f"its value is that of {other}, too")
    for name, values in given.answer.items():
        if name not in implied and not all(any(_holds(line, value) for line in lines) for value in values):
            told[name] = NOT_IN_TEXT
    if not told:
        return given
    kept = [why for why in given.why if why.partition(": ")[0] not in told]
    why = (*kept, *(f"{name}: {told[name]}" for name in given.answer if name in told))
    return given._replace(decision=REVIEW, why=why, units={**given.units, **dict.fromkeys(told, REVIEW)})


def same(values: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    """Yield each attribute that has a value in common with another, and that other.

    >>> [*same({"Weight": ("75 g",), "Brand": ("Acme",), "Length": ("75 G",), "Color": ()})]
    [('Weight', 'Length'), ('Length', 'Weight')]
    """
    holders = defaultdict[str, list[str]](list)
    for name, found in values.items():
        for value in found:
            holders[one_line(value).casefold()].append(name)
    for names in holders.values():
        yield from permutations(dict.fromkeys(names), 2)


def _holds(line: str, value: str) -> bool:
    """Tell whether a text holds a value; hyphens within words count little, and before a number they are what it means.

    >>> _holds("Keeps −18 °C", "-18 °C"), _holds("Keeps 18 °C", "-18 °C"), _holds("Lengths 5-18 cm", "-18 cm")
    (True, False, False)
    """
    if below := _BELOW.match(value):
        signed = rf"(?<!\w)[{_MINUS}]\s?(?={re.escape(value[below.end() :].strip())}(?!\w))"
        return bool(re.search(signed, line, re.IGNORECASE))
    return bool(spelling(value, line) or units.spelling(value, line))
