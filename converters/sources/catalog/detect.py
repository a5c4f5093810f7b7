"""Which platform wrote a file: the presets are asked, the evidence is said, and where it is unsure the user is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from converters.core import registry
from converters.core.errors import InputError
from converters.sources.catalog import presets
from converters.sources.catalog.head import Head

NONE = "none"  # the preset that is none: columns are named by options alone
SURE, LIKELY, APART = 0.6, 0.35, 0.15  # shares of typical columns; and how far the second best must be behind


def names() -> list[str]:
    """Return the names of the presets."""
    return registry.names(presets)


def get(name: str) -> ModuleType:
    """Return a preset; an unknown name is an ``InputError`` with the nearest right one."""
    return registry.load(presets, name)


def exports(paths: Sequence[Path]) -> list[Path]:
    """Return the files of an entry without those that a preset reads beside an export, where there is one."""
    companions = {name for preset in names() for name in getattr(get(preset), "COMPANIONS", ())}
    return [path for path in paths if path.name not in companions] or list(paths)


class Detected(NamedTuple):
    """A preset's name, ``none`` where no platform is recognised, and the evidence in words."""

    name: str
    evidence: str = ""


def detect(head: Head, given: Mapping[str, Any]) -> Detected:
    """Return the preset of a file; one that is unsure is an ``InputError`` unless the user has ``given`` the columns."""
    found = {name: evidence for name in names() if (evidence := get(name).recognise(head))}
    ranked = sorted(found, key=lambda name: (-found[name].share, -found[name].found))
    best, *others = ranked or [NONE]
    if best == NONE or found[best].share < LIKELY:
        return Detected(NONE)
    title, (count, typical) = get(best).TITLE, found[best]
    evidence = f"{title} ({count} of {typical} typical columns)"
    second = found[others[0]].share if others else 0.0
    if found[best].share >= SURE and second <= found[best].share - APART:
        return Detected(best, evidence)
    if {"id", "title", "category"} & {*given}:
        return Detected(NONE)
    other = f" or {get(others[0]).TITLE}" if second >= LIKELY else ""
    raise InputError(
        f"{head.path}: may be {evidence}{other}: say which with --option preset={best}, or --option preset=none with the "
        f"columns (id, title, category); the file has: {', '.join(head.columns)[:400]}"
    )


def same(heads: Sequence[Head], found: Sequence[Detected]) -> Detected:
    """Return what all files of an entry are; files of different platforms are an ``InputError``."""
    for head, detected in zip(heads, found, strict=True):
        if detected.name != found[0].name:
            first, other = (
                f"{h.path} ({d.evidence or 'no platform'})" for h, d in ((heads[0], found[0]), (head, detected))
            )
            raise InputError(
                f"{other} is another kind of file than {first}: convert them apart, or name one preset for both"
            )
    return found[0]
