"""Products to labels, chunk by chunk: first the category, then the attributes of the category that was predicted.

What a chunk's products are asked, and in which batches, depends on the chunk alone. The answers of the chunk under way are stored
as ``predict`` stores its own, and each finished chunk's labels are appended to one file: a run that was killed goes on where it
was, and memory holds one chunk.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converters.core.errors import InputError
from converters.io import jsonl
from converters.schema import Attributes, Listing, Row, Turn
from converters.tasks import category
from converters.tasks.base import RenderError
from converters.text.sanitize import clean_record
from eval.inference import predict, prompts
from eval.inference.backends.base import Answer, Backend, Plan, Prompt
from eval.inference.predict import Clock, Progress
from eval.production.applying.catalog import SOURCE, Ask, Item
from eval.production.applying.decisions import ACCEPT, REVIEW, UNKNOWN, Judged, familiar, grounded, judged
from eval.production.applying.learnt import ATTRIBUTES, CATEGORY, Learnt
from eval.production.confidence import Calibration

CHUNK, CHARACTERS = 1024, 1 << 24  # products of a chunk, and characters of texts at which it ends before
SILENT = "--precision needs confidences, and the backend sends no log-probabilities: run without it"


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an item. A product has an ``id`` and its texts as it was shown; what is none has a ``reason``.

    ``category`` is a path as it is written, ``None`` where none could be read. ``asked`` are the attributes asked for, ``values``
    their values. ``path_confidence`` has the path and each level, ``confidence`` each attribute. ``path_decision`` and
    ``decisions`` say whether the category and each attribute are taken, ``decision`` whether all are, ``why`` why not.
    """

    where: str
    reason: str = ""
    id: str = ""
    texts: list[tuple[str, str]] = []
    category: str | None = None
    candidates: list[str] = []
    path_confidence: dict[str, float] = {}
    path_decision: str = ""
    asked: list[str] = []
    values: dict[str, list[str]] = {}
    confidence: dict[str, float] = {}
    decisions: dict[str, str] = {}
    decision: str = ""
    why: list[str] = []


@dataclass(frozen=True, slots=True)
class Labeller:
    """A loaded model with all that its answers depend on.

    ``paths`` constrain categories, ``known`` are those of training, and ``narrowed`` says that some of these are not to choose
    from; ``strict``: there has to be a confidence; ``chunk`` products are asked about at a time. ``spent`` has the prompts,
    generated tokens and seconds of each chunk.
    """

    module: Backend
    model: Any
    plan: Plan
    learnt: Learnt
    ask: Ask
    paths: tuple[str, ...]
    calibration: Calibration | None
    clock: Clock
    strict: bool = False
    chunk: int = CHUNK
    known: frozenset[str] = frozenset()
    narrowed: bool = False
    spent: list[tuple[int, int, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels in a file, by number, and the number of the label of each raw row."""

    file: Path
    starts: Sequence[int]
    rows: Any
    owners: Any

    def __iter__(self) -> Iterator[Label]:
        """Yield all labels in order."""
        with self.file.open("rb") as lines:
            yield from (msgspec.json.decode(line, type=Label) for line in lines)

    def of_rows(self, numbers: Iterable[int]) -> Iterator[Label | None]:
        """Yield the label of each raw row by its number; ``None`` for one that belongs to no product."""
        decode, last, label = msgspec.json.Decoder(Label).decode, -1, None
        with self.file.open("rb") as lines:
            for number in numbers:
                place = int(np.searchsorted(self.rows, number))
                owner = int(self.owners[place]) if place < len(self.rows) and self.rows[place] == number else -1
                if owner < 0:
                    yield None
                    continue
                if owner != last:
                    lines.seek(self.starts[owner])
                    last, label = owner, decode(lines.readline())
                yield label


def written(
    labeller: Labeller, items: Iterable[Item], file: Path, answers: Mapping[str, Path], tick: Progress, total: int
) -> Labels:
    """Label all items into ``file``, which may have labels of an earlier sitting; ``answers`` are the partial files by task."""
    starts = _starts(file)
    rows, owners, done = array("q"), array("q"), 0
    with jsonl.writing(file), file.open("ab") as lines:
        for chunk in chunks(items, labeller.chunk):
            for number, item in enumerate(chunk, done):
                rows.extend(item.rows)
                owners.extend([number] * len(item.rows))
            if len(starts) <= done + len(chunk):
                lines.truncate(starts[done])
                del starts[done + 1 :]
                for label in _labels(labeller, chunk, done, answers):
                    starts.append(starts[-1] + lines.write(msgspec.json.encode(label) + b"\n"))
                lines.flush()
                for partial in answers.values():
                    partial.unlink(missing_ok=True)
            done += len(chunk)
            tick(done, max(total, done))
    order = np.argsort(np.array(rows), kind="stable")
    return Labels(file, starts, np.array(rows)[order], np.array(owners)[order])


def _starts(file: Path) -> "array[int]":
    """Return where each whole line of a file begins, and where the next one would; a file that is not there is empty."""
    starts = array("q", [0])
    if file.is_file():
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    starts.append(starts[-1] + len(line))
    return starts


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield items, ``size`` at a time, or as soon as their texts have :data:`CHARACTERS`."""
    chunk, held = list[Item](), 0
    for item in items:
        chunk.append(item)
        held += sum(len(text.text) for text in item.product.texts) if item.product else 0
        if len(chunk) == size or held >= CHARACTERS:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _labels(labeller: Labeller, chunk: Sequence[Item], first: int, answers: Mapping[str, Path]) -> list[Label]:
    reasons = {number: item.reason for number, item in enumerate(chunk, first) if item.product is None}
    products = {number: item.product for number, item in enumerate(chunk, first) if item.product is not None}
    placed = _asked(labeller, CATEGORY, products, reasons, answers)
    asking = {
        number: _with_names(product, labeller.learnt.asked.names(_path(placed.get(number))))
        for number, product in products.items()
        if number not in reasons and ATTRIBUTES in labeller.learnt.tasks
    }
    stated = _asked(
        labeller, ATTRIBUTES, {n: record for n, record in asking.items() if record.values}, reasons, answers
    )
    return [
        Label(item.where, reasons[number])
        if number in reasons
        else _label(item, products[number], placed.get(number), stated.get(number))
        for number, item in enumerate(chunk, first)
    ]


def _with_names(product: Listing, names: Sequence[str]) -> Attributes:
    return Attributes(product.id, product.group, product.texts, tuple((name, ()) for name in names))


def _asked(
    labeller: Labeller,
    task: str,
    records: Mapping[int, Listing | Attributes],
    reasons: dict[int, str],
    answers: Mapping[str, Path],
) -> dict[int, tuple[Judged, Answer]]:
    """Ask a task about records, by number; one that cannot be asked about gets a reason."""
    rows = dict[int, Row]()
    for number, record in records.items() if task in labeller.learnt.tasks else ():
        names = [name for name, _ in record.values] if isinstance(record, Attributes) else []
        meta = msgspec.json.encode({"attributes": names} if names else {}).decode()
        try:
            turns = [*labeller.ask(task, record), Turn("assistant", "")]
        except RenderError as error:
            reasons[number] = str(error)
            continue
        rows[number] = Row(
            id=f"{number}:{record.id}", group=record.group, task=task, source=SOURCE, messages=turns, meta=meta
        )
    found = _answers(labeller, task, rows, answers[task]) if rows else {}
    result = {
        number: (_judged(labeller, rows[number], records[number], answer), answer) for number, answer in found.items()
    }
    if labeller.strict and any(UNKNOWN in given.why for given, _ in result.values()):
        raise InputError(SILENT)
    return result


def _judged(labeller: Labeller, row: Row, record: Listing | Attributes, answer: Answer) -> Judged:
    given = judged(row, answer, labeller.calibration)
    if isinstance(record, Listing):
        return familiar(given, labeller.known, labeller.narrowed) if labeller.plan.constrain else given
    learnt = labeller.learnt
    return grounded(given, [text.text for text in record.texts], learnt.implied, learnt.shared)


def _answers(labeller: Labeller, task: str, rows: Mapping[int, Row], file: Path) -> dict[int, Answer]:
    plan, module, model = labeller.plan, labeller.module, labeller.model
    several = bool(plan.candidates) and prompts.takes_candidates(task)
    numbers = {f"{row.id}\0{task}": number for number, row in rows.items()}
    asked = [
        Prompt(key, row.prompt, prompts.limit(row, labeller.paths) if plan.constrain else None, several)
        for key, row in zip(numbers, rows.values(), strict=True)
    ]
    batches = module.batches(model, plan, asked)
    done = predict.resumed(file, batches)

    def need_confidence(*_: int) -> None:
        first = next(iter(done.values()), None)  # what an endpoint sends with one answer, it sends with all
        if labeller.strict and first and first.prediction and not first.logprobs:
            raise InputError(SILENT)

    predict.answer(module, model, plan, batches, done, file, need_confidence, labeller.clock)
    given = done.values()
    labeller.spent.append((len(given), sum(answer.tokens for answer in given), sum(answer.seconds for answer in given)))
    return {number: done[key] for key, number in numbers.items()}


def _path(placed: tuple[Judged, Answer] | None) -> str | None:
    return category.render(placed[0].answer) if placed and placed[0].answer else None


def _label(
    item: Item, product: Listing, placed: tuple[Judged, Answer] | None, stated: tuple[Judged, Answer] | None
) -> Label:
    parts = [part for part, _ in filter(None, (placed, stated))]
    decisions = {part.decision for part in parts}
    shown = clean_record(product)
    values = {} if stated is None else stated[0].answer or {}
    return Label(
        where=item.where,
        id=product.id,
        texts=[(text.label, text.text) for text in shown.texts],
        category=_path(placed),
        candidates=list(placed[1].candidates) if placed else [],
        path_confidence=dict(placed[0].confidence or {}) if placed else {},
        path_decision=placed[0].decision if placed else "",
        asked=[] if stated is None else list(values),
        values={name: list(found) for name, found in values.items()},
        confidence=dict(stated[0].confidence or {}) if stated else {},
        decisions=dict(stated[0].units) if stated else {},
        decision=REVIEW if REVIEW in decisions else ACCEPT if ACCEPT in decisions else "",
        why=list(dict.fromkeys(why for part in parts for why in part.why)),
    )
