"""How the answer rows of a run were made, from its record and its mixture's manifest, and rows of the same making to ask.

A row to ask is a training row that holds no answer: the same task renders it, the same budget and the same cut are on its
snippets, and the same characters are made harmless in it. Only the prompt counts towards the limit of the cut: in training so
does the answer, which is not known yet, so that a prompt is never cut shorter than it was there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from converters import sources
from converters.core.errors import InputError, first_line
from converters.examples import example
from converters.schema import Question, Row
from converters.text.lengths import Ruler, ruler
from converters.text.retrieval import METHODS, MINILM, Retrieval, configure
from converters.transforms.trim import fitted, too_long
from eval.results import record

TASK, SOURCE = "answer", "ask"
MOST = 10  # snippets, where the source of the rows says nothing of them


class Limit(msgspec.Struct, frozen=True):
    """A manifest's ``trim`` of one entry."""

    tokens: int
    tokenizer: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """What a manifest's spec says of one entry, as far as it shapes rows."""

    source: str
    split: str | None = None
    tasks: list[str] = []
    trim: Limit | None = None
    few_shot: int | None = None


class Account(msgspec.Struct, frozen=True):
    """What became of an entry: the options that it was read with, and its examples."""

    options: dict[str, Any]
    examples: int


class Spec(msgspec.Struct, frozen=True):
    """A manifest's spec."""

    sources: list[Entry]


class Manifest(msgspec.Struct, frozen=True):
    """As much of a mixture's manifest as says how its rows were made."""

    spec: Spec
    sources: list[Account]


@dataclass(frozen=True, slots=True)
class Context:
    """How rows to ask are made.

    ``limit`` is the most of the unit of ``measure`` that the texts of a row may have, ``None``: any. ``settings`` say it in plain
    values, for the record; ``remarks`` are sentences on what cannot be as it was in training.
    """

    how: Retrieval
    limit: int | None
    measure: Ruler | None
    settings: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def context_of(run: Path, snippets: int | None = None, encoder: str | None = None) -> Context:
    """Return how a run's answer rows were made: of its entries with that task, the one with most training examples decides.

    ``snippets`` shows another number than in training; with ``encoder``, snippets are ranked by it and BM25, not by BM25 alone.
    A run without a record, without its mixture's manifest or without such rows is an ``InputError``.
    """
    entry, account = max(_entries(run), key=lambda pair: (pair[0].split in (None, "train"), pair[1].examples))
    defaults = {option.name: option.default for option in sources.options(entry.source)}
    options = {"snippets": MOST, "budget": None, "tokenizer": None, **defaults, **account.options}
    most = snippets or options["snippets"]
    method = "fusion" if encoder else "bm25"
    how = configure(method, most, options["budget"], encoder or MINILM, options["tokenizer"])
    measure = ruler(entry.trim.tokenizer) if entry.trim else None
    remarks = tuple(_remarks(entry, options, encoder))
    budget = {name: options[name] for name in ("budget", "tokenizer")}
    trim = msgspec.to_builtins(entry.trim) if entry.trim else None
    settings = {"as_source": entry.source, "snippets": most, "retrieval": method, **budget, "trim": trim}
    return Context(how, entry.trim.tokens if entry.trim else None, measure, settings, remarks)


def _remarks(entry: Entry, options: Mapping[str, Any], encoder: str | None) -> list[str]:
    method = options.get("retrieval")
    dense = method in METHODS[2:] and not encoder
    ways = f"training chose snippets by {method} with {options.get('encoder')}: give it as --encoder to do the same"
    shots = f"training rows had {entry.few_shot} solved questions before each: none are put there"
    return [ways] * dense + [shots] * bool(entry.few_shot)


def _entries(run: Path) -> list[tuple[Entry, Account]]:
    """Return the entries of a run's mixtures that have answer rows of their own, each with its account."""
    found, seen = list[tuple[Entry, Account]](), set[str]()
    for path, account in record.manifests(record.read(run)).items():
        if account is None:
            raise InputError(
                f"{path}: is gone; it says how the run's rows were made, which those to ask have to be like"
            )
        try:
            manifest = msgspec.convert(account, Manifest)
        except msgspec.ValidationError as error:
            raise InputError(f"{path}: is of another version: {first_line(error)}") from error
        for entry, own in zip(manifest.spec.sources, manifest.sources, strict=True):
            feeds = entry.tasks or list(sources.get(entry.source).TASKS)
            seen.update(feeds)
            if TASK in feeds and entry.source != "mix":
                found.append((entry, own))
    if not found:
        known = f"its tasks: {', '.join(sorted(seen))}" if seen else "its record names no mixture"
        raise InputError(
            f"{run}: was not trained on task {TASK!r} ({known}), so it cannot be asked: train with a "
            "source that has questions (ecom-data list); ecom-eval try without --catalog labels products alone"
        )
    return found


def row(context: Context, identifier: str, question: str, snippets: Sequence[str]) -> Row | None:
    """Return the row of a question and its snippets as training has it, ``None`` where even the question alone is too long."""
    asked = Question(identifier, identifier, question, tuple(snippets), None)
    render = partial(example, task_name=TASK, source=SOURCE)
    if context.limit is None or context.measure is None:
        return render(asked)
    return fitted(asked, render, partial(_too_long, measure=context.measure, limit=context.limit))


def _too_long(row: Row, measure: Ruler, limit: int) -> bool:
    return too_long(msgspec.structs.replace(row, messages=row.messages[:-1]), measure, limit)
