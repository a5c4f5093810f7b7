"""A registry is a folder's listing: one module, one unit, and the file's name is the unit's name."""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from converters.core.errors import InputError, nearest

PRIVATE = {"base"}


def names(package: ModuleType) -> list[str]:
    """Return the names of the units in ``package``, sorted; the disk is listed once. A name that begins with ``_`` is no unit."""
    return list(_listed(package))


@cache
def _listed(package: ModuleType) -> tuple[str, ...]:
    modules = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in modules if name not in PRIVATE and not name.startswith("_")))


@cache
def load(package: ModuleType, name: str) -> ModuleType:
    """Import unit ``name`` of ``package``; an unknown name is an :class:`InputError` with the nearest right one."""
    known = names(package)
    if name not in known:
        raise InputError(f"unknown {package.__name__.rsplit('.', 1)[-1].rstrip('s')} {name!r}{nearest(name, known)}")
    return import_module(f"{package.__name__}.{name}")
