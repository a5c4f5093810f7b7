"""What is wrong with rows: in one of them, and between rows (ids that repeat, groups in two splits)."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from converters import tasks
from converters.core.console import Tick, silent
from converters.core.errors import InputError, nearest
from converters.core.hashing import hashed
from converters.core.unicode import composed
from converters.examples import gold
from converters.io.jsonl import decode, numbered
from converters.schema import SPLITS, Attributes, Listing, Ranking, Row
from converters.tasks.base import Task
from converters.text.lengths import Ruler
from converters.text.sanitize import plain
from converters.transforms.few_shot import own


class Keys:
    """Each row's file, line, and the hashes of its id, its group and all it says: 29 bytes a row."""

    FORMAT = struct.Struct("<QQQIB")
    DTYPE = np.dtype([("id", "<u8"), ("group", "<u8"), ("text", "<u8"), ("line", "<u4"), ("file", "u1")])

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, row: Row, file: int, line: int) -> None:
        """Add a row of a file, which is numbered from 0."""
        text = repr([(turn.role, turn.content) for turn in row.messages])
        self._bytes += self.FORMAT.pack(hashed(row.id), hashed(row.group), hashed(text), line, file)

    def table(self) -> NDArray[np.void]:
        """Return all rows, in order."""
        return np.frombuffer(self._bytes, self.DTYPE)


def repeats(table: NDArray[np.void]) -> Iterator[tuple[int, int]]:
    """Yield the place of each row whose id an earlier one has, and the place of the first that has it."""
    _, first, which = np.unique(table["id"], return_index=True, return_inverse=True)
    firsts = first[which]
    for place in np.flatnonzero(firsts != np.arange(len(firsts))).tolist():
        yield place, int(firsts[place])


def split_groups(table: NDArray[np.void]) -> Iterator[tuple[int, int]]:
    """Yield the place of each row whose group is in a later file, too, and that file: test wins over validation over train."""
    groups, which = np.unique(table["group"], return_inverse=True)
    strongest = np.zeros(len(groups), np.uint8)
    np.maximum.at(strongest, which, table["file"])
    for place in np.flatnonzero(table["file"] < strongest[which]).tolist():
        yield place, int(strongest[which[place]])


ROLES = ("system", "user", "assistant")
STEP = 1024
NOT_A_ROW = "not a row"
SHOWN = 60

Tree = frozenset[tuple[str, ...]]  # a taxonomy's paths
Lines = Callable[[Path], Iterator[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are held against beyond the contract: a taxonomy's paths, and a length that no row's text may exceed."""

    tree: Tree = frozenset()
    ruler: Ruler | None = None
    limit: int = 2048


CONTRACT = Rules()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: its kind, by which it is counted, and the sentence with what was found and what was expected."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and its place, ``file:line``."""

    where: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.where}: {self.problem.text}"


def files(path: Path) -> list[Path]:
    """Return the files to check: the splits of a mixture's folder, or the one file."""
    if not path.is_dir():
        return [path]
    splits = [path / f"{name}.jsonl" for name in SPLITS if (path / f"{name}.jsonl").is_file()]
    if not splits:
        raise InputError(f"{path}: has no train.jsonl, validation.jsonl or test.jsonl; name a mixture's folder")
    return splits


def findings(
    paths: Sequence[Path], rules: Rules = CONTRACT, tick: Tick = silent, lines: Lines = numbered
) -> Iterator[Finding]:
    """Yield what is wrong: row by row, then ids that repeat and groups that are in two files; 29 bytes a row are held.

    ``lines`` yields the numbered lines of a path, for callers that have read the file already.
    """
    keys, done = Keys(), 0
    for number, path in enumerate(paths):
        before = done
        for line, row in rows(path, lines):
            where = f"{path}:{line}"
            if isinstance(row, Row):
                yield from (Finding(where, problem) for problem in problems(row, rules))
                keys.add(row, number, line)
            else:
                yield Finding(where, row)
            done += 1
            if done % STEP == 0:
                tick(done)
        if done == before:
            yield Finding(str(path), Problem("empty file", "found an empty file, expected one JSON object a line"))
    yield from _across(keys.table(), paths)


def rows(path: Path, lines: Lines = numbered) -> Iterator[tuple[int, Row | Problem]]:
    """Yield each line's number and its row, or what is wrong with it."""
    for number, line in lines(path):
        try:
            yield number, decode(line, Row, "")
        except InputError as error:
            yield number, Problem(NOT_A_ROW, str(error).removeprefix(": "))


def _across(table: NDArray[np.void], paths: Sequence[Path]) -> Iterator[Finding]:
    def name(place: int) -> str:
        return f"{paths[table['file'][place]]}:{table['line'][place]}"

    for place, first in repeats(table):
        yield Finding(name(place), Problem("id again", f"found the id of {name(first)} again, expected every id once"))
    for place, strong in split_groups(table):
        text = f"found a group that is in {paths[strong].name}, too, expected every group in one split"
        yield Finding(name(place), Problem("group in two splits", text))


def problems(row: Row, rules: Rules = CONTRACT) -> Iterator[Problem]:
    """Yield what is wrong with one row."""
    if row.task not in tasks.names():
        yield Problem("unknown task", f"found task {row.task!r}{nearest(row.task, tasks.names())}")
        return
    roles = [turn.role for turn in row.messages]
    if roles[-2:] != ["user", "assistant"] or not set(roles) <= set(ROLES):
        yield Problem("wrong roles", f"found roles {roles}, expected to end in user, assistant")
        return
    yield from _texts(row, tasks.get(row.task))
    yield from _answer(row, tasks.get(row.task), rules)
    yield from _length(row, rules)


def _texts(row: Row, task: Task) -> Iterator[Problem]:
    question = row.messages[-2].content.lstrip()
    start = next((prefix for prefix in _prefixes() if question.startswith(prefix)), "")
    wrong = not question.startswith(task.prefix)
    if wrong:
        text = f"found a prompt that starts {question[:20]!r}, expected {task.prefix!r} of task {row.task!r}"
        yield Problem("prefix of another task" if start else "unknown prefix", text)
    for turn in row.messages:
        prefix = start if wrong and turn is row.messages[-2] else task.prefix
        content = body(turn.content, prefix if turn.role == "user" else "")
        if composed(content) != content:
            text = f"found letters apart from their marks in the {turn.role}'s text {around(content)!r}, expected NFC"
            yield Problem("decomposed text", text)
        if plain(content) != composed(content):
            place = f"the {turn.role}'s text {around(content)!r}"
            yield Problem("control token", f"found a control token or character in {place}, expected plain text")
        if turn.content != turn.content.strip() != "":
            yield Problem("white space", f"found white space around the {turn.role}'s text, expected none")


@cache
def _prefixes() -> list[str]:
    return sorted({tasks.get(name).prefix for name in tasks.names()} - {""})


def body(text: str, prefix: str) -> str:
    """Return a text without its task's prefix, the one control token that may stand in it."""
    return text.strip().removeprefix(prefix)


def around(text: str) -> str:
    """Return the neighbourhood of the first sign that :func:`plain` would change."""
    safe = plain(text)
    at = next((n for n, (a, b) in enumerate(zip(text, safe, strict=False)) if a != b), 0)
    return text[max(0, at - SHOWN // 2) : at + SHOWN // 2]


def _answer(row: Row, task: Task, rules: Rules) -> Iterator[Problem]:
    gold = task.parse(row.target)
    if not row.target.strip():
        yield Problem("empty answer", "found an empty answer, expected one")
        return
    if gold is None:
        text = f"found the answer {row.target[:SHOWN]!r}, which task {row.task!r} cannot read"
        yield Problem("answer that cannot be read", text)
        return
    try:
        extra = row.extra
        settled = task.settle(gold, extra)
        yield from _record(row, gold, extra, rules) if settled == gold else _label(row, settled, extra)
    except (TypeError, ValueError, AttributeError, KeyError):
        yield Problem("meta", f"found meta {row.meta[:SHOWN]!r}, expected a JSON object as task {row.task!r} writes it")


def _label(row: Row, settled: Any, extra: Mapping[str, Any]) -> Iterator[Problem]:
    if settled is None:
        options = ", ".join(map(repr, extra.get("options", [])))[:300] or "an answer that its meta allows"
        yield Problem("label outside its set", f"found the answer {row.target[:SHOWN]!r}, expected one of {options}")
    else:
        text = f"found the answer {row.target[:SHOWN]!r}, expected the option as it is listed: {settled!r}"
        yield Problem("label in another form", text)


def _record(row: Row, gold: Any, extra: Mapping[str, Any], rules: Rules) -> Iterator[Problem]:
    record = tasks.get(row.task).record
    if record is Attributes:
        yield from _values(row, gold, extra)
    elif record is Ranking:
        count = len(extra["gains"])
        if sorted(gold.numbers) != list(range(1, count + 1)):
            text = f"found the order {row.target[:SHOWN]!r}, expected each of the {count} candidates once"
            yield Problem("label outside its set", text)
    elif record is Listing and rules.tree and gold not in rules.tree:
        known = next((gold[:n] for n in range(len(gold) - 1, 0, -1) if gold[:n] in rules.tree), ())
        hint = f"; it has {' > '.join(known)!r}" if known else "; it has no such top-level node"
        text = f"found the category {' > '.join(gold)[:200]!r}, expected a path of the taxonomy{hint}"
        yield Problem("category not in the taxonomy", text)


def _values(row: Row, gold: Mapping[str, Sequence[str]], extra: Mapping[str, Any]) -> Iterator[Problem]:
    lines = own(row.messages[-2].content).splitlines()
    text = " ".join(" ".join(line.partition(": ")[2] or line for line in lines).split()).casefold()
    for name, values in gold.items():
        for value in values if name not in extra.get("implicit", []) else ():
            if " ".join(value.split()).casefold() not in text:
                sentence = f"found the value {value[:SHOWN]!r} of {name!r}, expected one that stands in the text"
                yield Problem("value not in the text", sentence)


def _length(row: Row, rules: Rules) -> Iterator[Problem]:
    texts = [turn.content for turn in row.messages]
    # No token is shorter than a byte, so most rows need no tokenizing.
    if not rules.ruler or sum(len(text.encode(errors="replace")) + 1 for text in texts) <= rules.limit:
        return
    if (length := int(rules.ruler.measure(texts).sum())) > rules.limit:
        yield Problem("over the length", f"found {length:,} {rules.ruler.unit}, expected {rules.limit:,} at most")


def mended(row: Row) -> Row:
    """Return a row with what can be mended without guessing: control tokens, white space, the form of an option.

    Nothing is mended in a row whose task or roles are unknown.
    """
    if row.task not in tasks.names() or len(row.messages) < 2:
        return row
    task = tasks.get(row.task)
    turns = []
    for turn in row.messages:
        text = turn.content.replace("\r\n", "\n").strip()
        start = task.prefix if turn.role == "user" and text.startswith(task.prefix) else ""
        turns.append(replace(turn, content=(start + plain(text.removeprefix(start))).strip()))
    fixed = replace(row, messages=turns)
    if "label in another form" not in {problem.kind for problem in problems(fixed)}:
        return fixed
    answer = task.render(task.settle(gold(fixed), fixed.extra))
    return replace(fixed, messages=[*turns[:-1], replace(turns[-1], content=answer)])
