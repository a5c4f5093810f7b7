"""Values as they are given on a command line: text where text is wanted, YAML for everything else."""

import re
from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import yaml

_UNSET = ("", "null")
_SIGNS = {r"\t": "\t", r"\n": "\n", r"\r\n": "\r\n"}  # no shell lets one type them
# What YAML itself raises for a date of month 13, and for a thousand brackets, beside its own errors.
ERRORS = (yaml.YAMLError, ValueError, RecursionError)


class _Texts(yaml.SafeLoader):
    """Reads every scalar as a text; nothing at all is still ``None``."""

    yaml_implicit_resolvers: dict[Any, Any] = {"": [("tag:yaml.org,2002:null", re.compile("$"))]}  # noqa: RUF012


def value_of(text: str, kind: Any) -> Any:
    r"""Return the value that ``text`` stands for where the type ``kind`` is wanted; one of :data:`ERRORS` if it stands for none.

    A text is taken as it is, whatever YAML reads into its signs. Only a whole text in quotes is what they enclose, ``\t`` and
    ``\n`` are the tab and the line break, and where nothing is allowed, ``null`` or an empty text is ``None``. A list or mapping
    of texts is YAML, its scalars texts.

    >>> value_of("|", str), value_of("no", str | None), value_of(" - ", str), value_of("' - '", str), value_of(r"\t", str)
    ('|', 'no', ' - ', ' - ', '\t')
    >>> value_of("null", str | None), value_of("null", str), value_of("[1, on]", str | list[str]), value_of("[a", str | list[str])
    (None, 'null', ['1', 'on'], '[a')
    >>> value_of("{Year: 2021-09-21}", dict[str, str]), value_of("yes", bool), value_of("1_000", int)
    ({'Year': '2021-09-21'}, True, 1000)
    """
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if text in _UNSET and NoneType in kinds:
        return None
    if str not in kinds:
        return _loaded(text, _Texts if _holds_texts(kind) else yaml.SafeLoader)
    if len(kinds) > 1 and text[:1] == "[" and text[-1:] == "]" and any(map(get_args, kinds)):
        return _loaded(text, _Texts)
    return _SIGNS.get(text, _unquoted(text))


def _loaded(text: str, loader: Any) -> Any:
    return yaml.load(text, loader)


def _holds_texts(kind: Any) -> bool:
    """Tell whether a type is one of lists or mappings of nothing but texts."""
    inner = get_args(kind)
    return all(map(_holds_texts, inner)) if inner else kind in (str, NoneType)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        with suppress(*ERRORS):
            value = _loaded(text, yaml.SafeLoader)
            return value if isinstance(value, str) else text
    return text
