"""What an answer may be, for constrained decoding: one of some texts, or JSON of a schema.

The texts are those that the task's prompt allows: the options of a choice, yes and no, the names of a level. The paths of a
taxonomy stand in no prompt: they come from a file, be it the training split or a list of paths.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from converters import jsonl, tasks
from converters.errors import InputError
from converters.examples import Row
from converters.records import Listing
from converters.tasks import category, category_levels, yes_no

VALUE = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 2}, {"type": "null"}]}
_NUMBERED = re.compile(r"^\d+ - ")  # as in Google's taxonomy with ids


@dataclass(frozen=True, slots=True)
class Texts:
    """The answer is one of these, word for word."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """The answer is a JSON object with these keys, in this order, each a text, texts or null."""

    keys: tuple[str, ...]

    @property
    def json(self) -> dict[str, Any]:
        """Return the JSON schema."""
        properties = dict.fromkeys(self.keys, VALUE)
        return {
            "type": "object",
            "properties": properties,
            "required": list(self.keys),
            "additionalProperties": False,
        }


Limit: TypeAlias = Texts | Schema | None
YES_NO = Texts((yes_no.render(True), yes_no.render(False)))


def limit(row: Row, paths: tuple[str, ...]) -> Limit:
    """Return what the answer to a row's prompt may be; ``None`` where anything may be said."""
    made = LIMITS.get(row.task)
    return made(row, paths) if made else None


def _texts(texts: Iterable[str]) -> Texts | None:
    found = tuple(dict.fromkeys(texts))
    return Texts(found) if found else None


LIMITS: Mapping[str, Callable[[Row, tuple[str, ...]], Limit]] = {
    "attributes": lambda row, _: Schema(tuple(row.extra.get("attributes", ()))),
    "choice": lambda row, _: _texts(row.extra.get("options", ())),
    "yes_no": lambda row, _: YES_NO,
    "answerable": lambda row, _: YES_NO,
    "category": lambda row, paths: _texts(paths),
    "category_shortlist": lambda row, paths: _texts(paths),
    "category_levels": lambda row, _: _texts(category_levels.choices([turn.content for turn in row.messages[:-1]])),
}


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
