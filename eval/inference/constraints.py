"""Constrained decoding: the answers that a task allows, as a grammar or a trie of paths."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from converters import tasks
from converters.core.errors import InputError
from converters.io import jsonl
from converters.schema import Listing, Row
from converters.tasks import category
from eval.answers import kind_of
from eval.answers.base import Limit, Schema, Texts

_NUMBERED = re.compile(r"^\d+ - ")  # as in Google's taxonomy with ids


def limit(row: Row, paths: tuple[str, ...]) -> Limit:
    """Return what the answer to a row's prompt may be; ``None`` where anything may be said."""
    return kind_of(row.task).limit(row, paths)


def kinds(limits: Mapping[str, Limit]) -> dict[str, str]:
    """Return what each task's answers are held to, for a record: ``texts``, ``json_schema`` or ``free``."""
    return {task: {Texts: "texts", Schema: "json_schema"}.get(type(found), "free") for task, found in limits.items()}


def read_paths(file: Path) -> tuple[str, ...]:
    """Return the distinct category paths of a file, sorted: targets of rows of ours (``.jsonl``), else a path a line."""
    lines = jsonl.numbered(file)
    if file.suffix == ".jsonl":
        rows = (jsonl.decode(line, Row, f"{file}:{number}") for number, line in lines)
        texts = ((row.target, 0) for row in rows if tasks.get(row.task).record is Listing)
    else:
        plain = ((line.decode("utf-8", "replace").strip(), number) for number, line in lines)
        texts = ((_NUMBERED.sub("", text), number) for text, number in plain if not text.startswith("#"))
    found = sorted({_path(text, f"{file}:{number}") for text, number in texts})
    if not found:
        raise InputError(f"{file}: found no category paths, expected rows of a category task (.jsonl) or a path a line")
    return tuple(found)


def _path(text: str, where: str) -> str:
    path = category.parse(text)
    if path is None:
        raise InputError(
            f"{where}: found {text[:60]!r}, expected a category path: names with {category.SEPARATOR!r} between"
        )
    return category.render(path)


Trie: TypeAlias = dict[int, "Trie"]


def build(sequences: Iterable[Sequence[int]]) -> Trie:
    """Return the tree of sequences.

    >>> build([[1, 2], [1, 3]])
    {1: {2: {}, 3: {}}}
    """
    root: Trie = {}
    for sequence in sequences:
        node = root
        for token in sequence:
            node = node.setdefault(token, {})
    return root


def following(trie: Trie, begun: Iterable[int]) -> list[int]:
    """Return the tokens that may follow those begun; none where a sequence is whole or none begins so.

    >>> trie = build([[1, 2], [1, 3]])
    >>> following(trie, []), following(trie, [1]), following(trie, [1, 2]), following(trie, [9])
    ([1], [2, 3], [], [])
    """
    for token in begun:
        if token not in trie:
            return []
        trie = trie[token]
    return list(trie)
