"""What the page shows, as plain data: of the run, of a labelled product, of an answered question. Knows of no model."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """The run behind the page.

    ``texts`` are the labels of a product's texts, the title first; none: it labels no products. ``precision`` is that of the
    calibration, ``None``: there is none. ``catalog`` is the file that questions are answered from, "" for none, ``products`` are
    ids and titles of some of its products. ``remarks`` are sentences that a user should know.
    """

    run: str
    backend: str
    texts: tuple[str, ...]
    precision: float | None
    catalog: str = ""
    products: Sequence[tuple[str, str]] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer: its ``name``, the ``text`` that was answered, and how sure that is.

    ``confidence`` is calibrated where the run has a calibration, ``None``: not available. ``threshold`` is the confidence from
    which it is accepted, ``None``: there is none. ``decision`` is ``accept``, ``review`` or "" where nothing is decided.
    """

    name: str
    text: str
    confidence: float | None = None
    threshold: float | None = None
    decision: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """A labelled product: its texts as the model was ``shown`` them, the category with its levels, and the attributes.

    ``category`` is ``None`` where none is asked for, ``identifier`` its id in the taxonomy, "" for none. ``why`` says why a
    person has to look at it, ``notes`` what was done to its texts or could not be read.
    """

    shown: Sequence[tuple[str, str]]
    category: Part | None
    identifier: str
    levels: tuple[Part, ...]
    candidates: tuple[str, ...]
    attributes: tuple[Part, ...]
    decision: str
    why: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A snippet as the model was shown it; ``cited``: its answer cites it. ``date`` is that of a price or of availability."""

    number: int
    text: str
    product: str
    kind: str
    source: str
    date: str
    cited: bool


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a guardrail did: ``abstained``, ``removed`` or ``withheld``, and why."""

    guardrail: str
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered question: what is ``said`` after the guardrails, and what the model had answered.

    ``model`` is ``None`` where it was not asked. ``withheld``: its answer is not given.
    """

    question: str
    said: str
    abstained: bool
    model: Part | None
    withheld: bool
    why: tuple[str, ...]
    guardrails: tuple[Guarded, ...]
    snippets: tuple[Shown, ...]
