"""The datasets: one file each. A source module has

* ``TASKS``: the tasks that its records are for,
* ``URL``, ``LICENCE`` and ``FILES``: where the raw files are, and what their owners allow,
* ``BESIDE``, if options of its ``read`` name files that shape its rows: the names of these options,
* ``read(paths, **options) -> Iterator[Outcome]``: one outcome for every raw row, used or not; an option is a keyword that is
  ``Annotated`` with one line on what it does, which ``ecom-data list`` prints.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_type_hints

import msgspec

from converters.core import errors, registry
from converters.core.errors import InputError
from converters.schema import Outcome
from converters.text.lengths import NAMES as TOKENIZERS


def names() -> list[str]:
    """Return the names of all datasets, sorted; ``mix``, an earlier mixture, is a source and no dataset."""
    return [name for name in registry.names(sys.modules[__name__]) if name != "mix"]


def get(name: str) -> ModuleType:
    """Return the source called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    return registry.load(sys.modules[__name__], name)


class Option(NamedTuple):
    """An option of a source: what it does in one line, and its default."""

    name: str
    default: Any
    line: str


def options(source: str) -> list[Option]:
    """Return the options that a source's ``read`` takes, as its ``Annotated`` parameters tell them."""
    read = get(source).read
    hints = get_type_hints(read, include_extras=True)
    keywords = [option for option in inspect.signature(read).parameters.values() if option.kind is option.KEYWORD_ONLY]
    return [Option(key.name, key.default, " ".join(getattr(hints[key.name], "__metadata__", ()))) for key in keywords]


def option_names(source: str) -> list[str]:
    """Return the names of a source's options."""
    return [option.name for option in options(source)]


def check(source: str, options: Mapping[str, Any], where: str = "") -> None:
    """Stop with a sentence where an option is unknown, with the nearest right one, or its value is of another type."""
    known, kinds = option_names(source), get_type_hints(get(source).read)
    for option, value in options.items():
        if option not in known:
            raise InputError(
                f"{where}source {source!r} has no option {option!r}{errors.nearest(str(option), known or ['none'])}"
            )
        try:
            msgspec.convert(value, kinds[option])
        except msgspec.ValidationError as error:
            raise InputError(
                f"{where}source {source!r}, option {option!r}: found {str(value)[:60]!r}: {error}"
            ) from error


def given(source: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a source's options with those that its file of options, a ``mapping``, has beside them."""
    mapping = options.get("mapping")
    more = get(source).mapped(Path(mapping)) if isinstance(mapping, str) and "mapping" in option_names(source) else {}
    return {**more, **options}


def beside(source: str, options: Mapping[str, Any]) -> list[Path]:
    """Return the files that options name beside the raw ones; of a folder, the tokenizer's file in it."""
    values = given(source, options)
    named = [Path(name) for option in getattr(get(source), "BESIDE", ()) if isinstance(name := values.get(option), str)]
    places = (place for path in named for place in (path, *(path / name for name in TOKENIZERS)))
    return [place for place in places if place.is_file()]


def read(source: str, paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[Outcome]:
    """Return the outcomes of a source's files; options are as :func:`check` wants them."""
    check(source, options)
    outcomes: Iterator[Outcome] = get(source).read(paths, **options)
    return outcomes
