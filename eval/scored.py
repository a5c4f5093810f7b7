"""What scoring leaves: ``scores.json`` and one line an example, ``rows.jsonl``, as values."""

from dataclasses import dataclass
from typing import Any

import msgspec

from eval import RESAMPLES, SEED


@dataclass(frozen=True, slots=True)
class Settings:
    """What a score depends on beside the data: a normaliser's name, and how often and from where to resample."""

    normaliser: str = "strict"
    resamples: int = RESAMPLES
    seed: int = SEED


class ScoredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``rows.jsonl``: all that a comparison needs. ``prediction`` is what the file held, a text or not.

    ``reason`` says why an answer is invalid, "" if it is valid; ``salvaged``: a forgiving parse reads it otherwise. ``slices``
    are the names under which the row is counted, by kind of slice. ``candidates`` and ``judged`` are as in the files read.
    """

    id: str
    group: str
    task: str
    source: str
    valid: bool
    prompt: str
    gold: str
    prediction: Any
    meta: str
    values: dict[str, float] = {}
    reason: str = ""
    salvaged: bool = False
    slices: dict[str, list[str]] = {}
    candidates: list[Any] = []
    judged: dict[str, float] = {}


class Score(msgspec.Struct, frozen=True):
    """A metric's value, its 95 % interval (``None`` with a single group), and the best trivial predictor's value and name."""

    value: float
    low: float | None
    high: float | None
    floor: float
    floor_by: str


class Salvage(msgspec.Struct, frozen=True):
    """How many answers a forgiving parse reads otherwise, and what the task would score with them."""

    recovered: int
    metrics: dict[str, Score]


class Slice(msgspec.Struct, frozen=True):
    """Some metrics of the examples that have one thing in common, such as ``kind`` "depth", ``name`` "3"; none if too few."""

    kind: str
    name: str
    n: int
    groups: int
    invalid: int
    metrics: dict[str, Score]


class Both(msgspec.Struct, frozen=True):
    """A measure as eCeLLM's script gives it (``None``: it would stop) and as ours does (``None``: we have none like it)."""

    ecellm: float | None
    ours: float | None


class Published(msgspec.Struct, frozen=True):
    """One of ECInstruct's tasks as eCeLLM's script scores it; ``dropped`` counts answers, for ranking letters in them."""

    n: int
    dropped: int
    metrics: dict[str, Both]


class TaskScores(msgspec.Struct, frozen=True, omit_defaults=True):
    """The scores of one task: what the answers as they are score, with the share that can be read beside it.

    ``unavailable`` says why a metric is left out, ``reasons`` counts why answers are invalid. ``counts`` are the totals of
    ``eval.metrics.slots.COUNTS`` and ``attributes`` those of each attribute, for attributes only. ``ecellm`` is only there if it
    was asked for: a flawed score, to be placed beside a paper.
    """

    n: int
    groups: int
    invalid: int
    metrics: dict[str, Score]
    validity: Score | None = None
    salvage: Salvage | None = None
    unavailable: dict[str, str] = {}
    reasons: dict[str, int] = {}
    counts: dict[str, int] | None = None
    attributes: dict[str, dict[str, int]] = {}
    slices: list[Slice] = []
    ecellm: dict[str, Published] = {}


class Scores(msgspec.Struct, frozen=True):
    """The content of ``scores.json``."""

    tasks: dict[str, TaskScores]
    provenance: dict[str, Any]
