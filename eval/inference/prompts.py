"""What a model is asked for a row: its turns, few-shot demonstrations before them, and a limit on what it may answer."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters import tasks
from converters.core.errors import InputError
from converters.examples import gold
from converters.io import jsonl
from converters.schema import Listing, Row
from converters.tasks import category
from eval.answers import kind_of
from eval.answers.base import Limit
from eval.inference.backends.base import Answer

_NUMBERED = re.compile(r"^\d+ - ")  # as in Google's taxonomy with ids


def questions(row: Row) -> dict[str, Row]:
    """Return the prompts of a row by key: the row itself, or for a walk one row that ends with each answer."""
    if not tasks.get(row.task).walk:
        return {row.id: row}
    ends = (number for number, turn in enumerate(row.messages, 1) if turn.role == "assistant")
    return {f"{row.id}\0{end}": msgspec.structs.replace(row, messages=row.messages[:end]) for end in ends}


def prediction(turns: Mapping[str, Row], answers: Mapping[str, Answer]) -> str | None:
    """Return a row's prediction: its first wrong answer, or the last."""
    return steps(turns, answers)[-1].prediction


def steps(turns: Mapping[str, Row], answers: Mapping[str, Answer]) -> list[Answer]:
    """Return a row's answers up to the one that is its prediction."""
    found = list[Answer]()
    for key, row in turns.items():
        found.append(answers[key])
        text = found[-1].prediction
        if text is None or tasks.get(row.task).parse(text) != gold(row):
            break
    return found


def takes_candidates(task: str) -> bool:
    """Tell whether ranked candidates make sense for a task: it picks one class in one turn."""
    return "accuracy" in tasks.get(task).metrics and not tasks.get(task).walk


def candidates(row: Row, prediction: str, further: Sequence[str], count: int) -> list[str]:
    """Return at most ``count`` answers, the prediction first, then further ones as ranked, each meaning once.

    >>> from converters.examples import Turn
    >>> row = Row(id="1", group="1", task="category", source="s", messages=[Turn("user", "?"), Turn("assistant", "Home")])
    >>> candidates(row, "Home > Mugs", [" Home>Mugs", "Home > Pans", "Home >", "Car"], 3)
    ['Home > Mugs', 'Home > Pans', 'Home >']
    """
    task, extra = tasks.get(row.task), row.extra
    distinct: dict[tuple[bool, str], str] = {}
    for text in [prediction, *further]:
        parsed = task.parse(text)
        answer = None if parsed is None else task.settle(parsed, extra)
        distinct.setdefault((False, text.strip()) if answer is None else (True, repr(answer)), text)
    return list(distinct.values())[:count]


@dataclass(frozen=True, slots=True)
class Shots:
    """``count`` demonstrations for every row, from ``pool``: by task and source, rows of distinct groups in the draw's order."""

    count: int
    pool: Mapping[tuple[str, str], tuple[Row, ...]]

    def turns(self, row: Row) -> list[dict[str, str]]:
        """Return the turns to put before a row's own; a draw that is too small is an ``InputError``."""
        pool = self.pool.get((row.task, row.source)) or self.pool.get((row.task, ""), ())
        shots = [shot for shot in pool if shot.group != row.group][: self.count]
        if len(shots) < self.count:
            raise InputError(
                f"row {row.id!r}: found {len(shots)} demonstrations of task {row.task!r} in the training split, "
                f"expected {self.count} of other groups"
            )
        turns = [turn for shot in shots for turn in shot.messages if turn.role != "system"]
        return [{"role": turn.role, "content": turn.content} for turn in turns]

    def before(self, row: Row) -> list[dict[str, str]]:
        """Return a row's prompt with its demonstrations before it, after its system turn, which templates take first only."""
        own = row.prompt
        system = sum(turn["role"] == "system" for turn in own[:1])
        return [*own[:system], *self.turns(row), *own[system:]]

    @property
    def ids(self) -> dict[str, list[str]]:
        """Return the ids of the demonstrations that a row of another group gets, by task and source."""
        return {"/".join(filter(None, key)): [row.id for row in rows[: self.count]] for key, rows in self.pool.items()}


def draw(rows: Iterable[Row], needed: Iterable[tuple[str, str]], count: int, seed: int) -> Shots:
    """Draw demonstrations for the ``needed`` pairs of task and source; a source without enough draws from its whole task.

    Holds ``count`` + 1 rows for each pair, however many there are.
    """
    pairs = sorted(set(needed))
    pool: dict[tuple[str, str], dict[str, tuple[bytes, Row]]]  # by pair and group: rank and row
    pool = {key: {} for key in [*pairs, *((task, "") for task, _ in pairs)]}
    for row in rows:
        rank = hashlib.sha256(f"{seed}\0{row.id}".encode()).digest()
        for key in ((row.task, row.source), (row.task, "")):
            if key in pool:
                _offer(pool[key], rank, row, count + 1)
    drawn = {key: tuple(row for _, row in sorted(rows.values(), key=lambda p: p[0])) for key, rows in pool.items()}
    enough = {key for key in pairs if len(drawn[key]) > count}
    used = enough | {(task, "") for task, source in pairs if (task, source) not in enough}
    return Shots(count, {key: drawn[key] for key in sorted(used)})


def _offer(rows: dict[str, tuple[bytes, Row]], rank: bytes, row: Row, most: int) -> None:
    if row.group not in rows or rank < rows[row.group][0]:
        rows[row.group] = (rank, row)
    if len(rows) > most:
        del rows[max(rows, key=lambda group: rows[group][0])]


def limit(row: Row, paths: tuple[str, ...]) -> Limit:
    """Return what the answer to a row's prompt may be; ``None`` where anything may be said."""
    return kind_of(row.task).limit(row, paths)


def read_paths(file: Path) -> tuple[str, ...]:
    """Return the distinct category paths of a file, sorted: targets of rows of ours (``.jsonl``), else a path a line."""
    lines = jsonl.numbered(file)
    if file.suffix == ".jsonl":
        rows = (jsonl.decode(line, Row, f"{file}:{number}") for number, line in lines)
        texts = ((row.target, 0) for row in rows if tasks.get(row.task).record is Listing)
    else:
        plain = ((line.decode("utf-8", "replace").strip(), number) for number, line in lines)
        texts = ((_NUMBERED.sub("", text), number) for text, number in plain if not text.startswith("#"))
    paths = set[str]()
    for text, number in texts:
        if (path := category.parse(text)) is None:
            form = f"a category path: names with {category.SEPARATOR!r} between"
            raise InputError(f"{file}:{number}: found {text[:60]!r}, expected {form}")
        paths.add(category.render(path))
    if not paths:
        raise InputError(f"{file}: found no category paths, expected rows of a category task (.jsonl) or a path a line")
    return tuple(sorted(paths))
