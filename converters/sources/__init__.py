"""The datasets, one module each, and the options that they take.

A source module has

* ``TASKS``: the tasks that its records are for,
* ``URL``, ``LICENCE`` and ``FILES``: where the raw files are, and what their owners allow,
* ``FILE_OPTIONS``, if options of its ``read`` name files that shape its rows: the names of these options,
* ``complete(paths, options)``, if its files decide options that are not given: all of them, and what was seen in words,
* ``read(paths, **options) -> Iterator[Outcome]``: one outcome for every raw row, used or not; an option is a keyword that is
  ``Annotated`` with one line on what it does, which ``ecom-data list`` prints.

Several processes share the rows of a source that has

* ``RAW``, the type that its rows are decoded as: ``read`` does with pieces of files what it does with files, row by row, or
* ``gathering(**options) -> Gathering``, what brings its rows together by a key: of pieces of files with ``RAW``, else of files.

Nothing in such a source may depend on the rows before. ``told(noted, last)``, if it has one, makes of the counts of its notes, in
the order of the rows, those that are told: the first few names of something, for instance, and all others together.

May use validation and what lies below it. Rows of several sources together (duplicates, splits, shares) are mixture's business.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_type_hints

import msgspec

from converters.core import errors, registry
from converters.core.errors import InputError, first_line
from converters.io.files import Columns, columns_of
from converters.io.grouping import Gathering
from converters.io.pieces import Source
from converters.schema import Outcome
from converters.text.lengths import NAMES as TOKENIZERS


def names() -> list[str]:
    """Return the names of all datasets, sorted; ``mix``, an earlier mixture, is a source and no dataset."""
    return [name for name in registry.names(sys.modules[__name__]) if name != "mix"]


def get(name: str) -> ModuleType:
    """Return the source called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    return registry.load(sys.modules[__name__], name)


class Option(NamedTuple):
    """An option of a source: its default, and in one line what it does."""

    name: str
    default: Any
    line: str


def options(source: str) -> list[Option]:
    """Return the options of a source: the ``Annotated`` keywords of its ``read``."""
    read = get(source).read
    hints = get_type_hints(read, include_extras=True)
    keywords = [option for option in inspect.signature(read).parameters.values() if option.kind is option.KEYWORD_ONLY]
    return [Option(key.name, key.default, " ".join(getattr(hints[key.name], "__metadata__", ()))) for key in keywords]


_all = options  # which a parameter hides


def option_names(source: str) -> list[str]:
    """Return the names of a source's options."""
    return [option.name for option in options(source)]


def given(source: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return the options that ``KEY=VALUE`` texts of a command line name; a text option is taken as it is typed."""
    from converters.core.given import ERRORS, value_of  # PyYAML is slow to import

    types = get_type_hints(get(source).read)
    found = dict[str, Any]()
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--option {text!r}: has no '=', expected KEY=VALUE")
        try:
            found[key] = value_of(value, types.get(key, str))
        except ERRORS as error:
            line = next(each.line for each in options(source) if each.name == key)
            raise InputError(f"--option {text!r}: found no YAML value: {_problem(error)} ({line})") from error
    return found


def _problem(error: Exception) -> str:
    signs = "put a sign that YAML gives a meaning, and a text with one, in quotes: ['|', 'a: b']"
    return f"{getattr(error, 'problem', None) or first_line(error)}; {signs}"


def check(source: str, options: Mapping[str, Any], where: str = "") -> None:
    """Raise an ``InputError`` for an unknown option, with the nearest right one, or a value of another type."""
    lines, types = _all(source), get_type_hints(get(source).read)
    known = [each.name for each in lines]
    for option, value in options.items():
        if option not in known:
            hint = errors.nearest(str(option), known or ["none"])
            raise InputError(f"{where}source {source!r} has no option {option!r}{hint}")
        try:
            msgspec.convert(value, types[option])
        except msgspec.ValidationError as error:
            found = f"found {str(value)[:60]!r}"
            line = next(each.line for each in lines if each.name == option)
            raise InputError(f"{where}source {source!r}, option {option!r}: {found}: {error} ({line})") from error


def resolved(source: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a source's options with those of its ``mapping``, a YAML file; one that is given beside it wins."""
    if "mapping" not in option_names(source) or not isinstance(options.get("mapping"), str) or not options["mapping"]:
        return options
    import yaml

    from converters.core.given import ERRORS

    path = Path(options["mapping"])
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, *ERRORS) as error:
        raise errors.unreadable(path, error, "a YAML file of options") from error
    if not isinstance(tree, dict) or "mapping" in tree:
        known = ", ".join(name for name in option_names(source) if name != "mapping")
        raise InputError(f"{path}: expected options with their values, some of: {known}")
    check(source, tree, f"{path}: ")
    return {**tree, **options}


class Completed(NamedTuple):
    """The options of an entry, those that its files decide among them, and in words what was seen of the files."""

    options: Mapping[str, Any]
    lines: Sequence[str] = ()


def completed(source: str, paths: Sequence[Path], options: Mapping[str, Any]) -> Completed:
    """Return an entry's options with those of its ``mapping`` and those that its files decide."""
    check(source, options)
    values = resolved(source, options)
    complete = getattr(get(source), "complete", None)
    return Completed(values) if complete is None else Completed(*complete(paths, values))


def option_files(source: str, options: Mapping[str, Any]) -> list[Path]:
    """Return the files that options name beside the raw ones; of a folder, the tokenizer's file in it."""
    values = resolved(source, options)
    named = [values.get(option) for option in getattr(get(source), "FILE_OPTIONS", ())]
    listed = (value if isinstance(value, list) else [value] for value in named)
    paths = [Path(name) for names in listed for name in names if isinstance(name, str)]
    places = (place for path in paths for place in (path, *(path / name for name in TOKENIZERS)))
    return [place for place in places if place.is_file()]


def columns(source: str) -> Columns:
    """Return the columns of Parquet that a source's rows have; none: all."""
    return columns_of(getattr(get(source), "RAW", None))


def gathering(source: str, options: Mapping[str, Any]) -> Gathering | None:
    """Return how a source brings rows together, if it does."""
    gather = getattr(get(source), "gathering", None)
    values = {option.name: option.default for option in _all(source)} if gather else {}
    found: Gathering | None = gather(**{**values, **resolved(source, options)}) if gather else None
    return found


def told(source: str) -> Callable[[Counter[str], bool], None]:
    """Return what makes of the counts of a source's notes those that are told; most sources leave them as they are."""
    found: Callable[[Counter[str], bool], None] = getattr(get(source), "told", lambda noted, last: None)
    return found


def read(source: str, paths: Sequence[Source], options: Mapping[str, Any]) -> Iterator[Outcome]:
    """Return the outcomes of a source's files, or of pieces of them; options that :func:`check` refuses are an ``InputError``."""
    check(source, options)
    outcomes: Iterator[Outcome] = get(source).read(paths, **resolved(source, options))
    return outcomes
