"""A registry is a folder's listing: one module, one unit, and the file's name is the unit's name."""

import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import ModuleType

from converters.errors import InputError

PRIVATE = {"base"}


def names(package: ModuleType) -> list[str]:
    """Return the names of the units in ``package``, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name not in PRIVATE)


@cache
def load(package: ModuleType, name: str) -> ModuleType:
    """Import unit ``name`` of ``package``; an unknown name is an :class:`InputError` with the nearest right one."""
    known = names(package)
    if name not in known:
        raise InputError(f"unknown {package.__name__.rsplit('.', 1)[-1].rstrip('s')} {name!r}{nearest(name, known)}")
    return import_module(f"{package.__name__}.{name}")


def nearest(name: str, known: list[str]) -> str:
    """Return a hint for a misspelt ``name``.

    >>> nearest("mvae", ["mave", "catalog"])
    "; did you mean 'mave'?"
    >>> nearest("zzz", ["mave", "catalog"])
    '; expected one of: mave, catalog'
    """
    close = get_close_matches(name, known, n=1)
    listed = ", ".join(one if one.isprintable() else repr(one) for one in known)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of: {listed}"
