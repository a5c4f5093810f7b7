"""What the files of an evaluation hold: predictions, judgements, scored rows, scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec

from converters.io import jsonl
from eval import RESAMPLES, SEED
from eval.metrics.base import NOTHING

Mark = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Prediction(msgspec.Struct, frozen=True):
    """One line of ``predictions.jsonl``; a ``prediction`` that is no text is invalid. ``candidates``: ranked, best first.

    ``confidence`` is ours where it is a share for each unit of the answer; others may write what they like there.
    """

    id: str
    prediction: Any
    candidates: list[Any] = []
    confidence: Any = None

    @property
    def confidences(self) -> Mapping[str, float]:
        """Return the raw confidence of each unit of the answer; none where the file does not say."""
        try:
            return NOTHING if self.confidence is None else msgspec.convert(self.confidence, dict[str, Mark])
        except msgspec.ValidationError:
            return NOTHING


class Judgement(msgspec.Struct, frozen=True):
    """One line of ``judgements.jsonl``: a judge's marks from 0 to 1, ``None`` where it gave none."""

    id: str
    relevance: Mark | None = None
    grounded: Mark | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """All that is known of a row's answer before it is read: the prediction, ranked candidates, a judge's marks, confidences."""

    prediction: Any
    candidates: Sequence[Any] = ()
    judged: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    confidence: Mapping[str, float] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a score depends on besides the data: a normaliser's name, the number of resamples and their seed."""

    normaliser: str = "strict"
    resamples: int = RESAMPLES
    seed: int = SEED


class ScoredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``rows.jsonl``: all that a comparison needs. ``prediction``, ``candidates``, ``judged``: as in the files read.

    ``reason`` says why an answer is invalid, "" if it is valid; ``salvaged``: a lenient parse reads it otherwise. ``slices`` are
    the names under which the row is counted, by kind of slice.
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


class Score(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric's value, its 95 % interval, and the best trivial predictor's value and name.

    Too few groups have no interval: its ends are ``None`` and ``reason`` says why.
    """

    value: float
    low: float | None
    high: float | None
    floor: float
    floor_by: str
    reason: str = ""


class Salvage(msgspec.Struct, frozen=True):
    """How many answers a lenient parse reads otherwise, and what the task would score with them."""

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
    :data:`eval.metrics.extraction.COUNTS` and ``attributes`` those of each attribute, for records only. ``ecellm`` is only there
    if it was asked for: a flawed score, to be placed beside a paper.
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


@dataclass(frozen=True, slots=True)
class RowsFile:
    """The rows of a ``rows.jsonl``, read on each iteration, so that a million of them need not be held."""

    path: Path

    def __iter__(self) -> Iterator[ScoredRow]:
        return jsonl.stream(self.path, ScoredRow)


@dataclass(frozen=True, slots=True)
class Run:
    """A scored run: its name and the content of ``scores.json`` and ``rows.jsonl``."""

    name: str
    scores: Scores
    rows: Iterable[ScoredRow]
