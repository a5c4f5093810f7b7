"""All that keeps a tree of values, such as a YAML file's, from being a struct; msgspec itself stops at the first fault."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from converters.core.errors import nearest

Place = tuple[str | int, ...]  # the keys and numbers that lead to a value
Fault = tuple[Place, str]


def misfits(value: Any, kind: Any, place: Place = ()) -> Iterator[Fault]:
    """Yield each fault that keeps ``value`` from being of type ``kind``, with its place in ``value``."""
    bare = _bare(kind)
    if _is_struct(bare) and isinstance(value, dict):
        fields = {field.name: field for field in msgspec.structs.fields(bare)}
        lacking = [name for name, field in fields.items() if field.required and name not in value]
        yield from ((place, f"{_shown(place)}Object missing required field `{name}`") for name in lacking)
        for key, part in value.items():
            if key in fields:
                yield from misfits(part, fields[key].type, (*place, key))
            else:
                yield (*place, key), f"{_shown(place)}unknown key {key!r}{nearest(str(key), list(fields))}"
        return
    inner = [fault for key, part, of in _parts(value, bare) for fault in misfits(part, of, (*place, key))]
    yield from inner
    if not inner:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            yield place, f"{_shown(place)}{error}"


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _bare(kind: Any) -> Any:
    """Return a type without its bounds, and without the ``None`` that may stand in its place."""
    return _bare(get_args(kind)[0]) if get_origin(kind) in (Annotated, Union, UnionType) else kind


def _parts(value: Any, kind: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """Yield the items of a list or mapping, each as its key, itself and its type."""
    if get_origin(kind) is list and isinstance(value, list):
        yield from ((number, item, get_args(kind)[0]) for number, item in enumerate(value))
    elif get_origin(kind) is dict and isinstance(value, dict):
        yield from ((key, item, get_args(kind)[1]) for key, item in value.items() if isinstance(key, str))


def _shown(place: Place) -> str:
    shown = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place).lstrip(".")
    return f"{shown}: " if shown else ""


def sound(value: Mapping[Any, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the keys of a struct whose values fit it."""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return {key: part for key, part in value.items() if key in types and not any(misfits(part, types[key]))}
