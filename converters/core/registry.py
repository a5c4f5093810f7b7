"""Registries: a unit is a module of a package, and the file's name is the unit's name."""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from converters.core.errors import InputError, nearest


def names(package: ModuleType) -> list[str]:
    """Return the names of the units in ``package``, sorted; ``base`` and names that begin with ``_`` are no units."""
    return list(_listed(package))


@cache  # it is asked for every row, and listing the folder each time took 40 % of a build
def _listed(package: ModuleType) -> tuple[str, ...]:
    modules = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in modules if name != "base" and not name.startswith("_")))


@cache
def load(package: ModuleType, name: str) -> ModuleType:
    """Import unit ``name`` of ``package``; an unknown name is an :class:`InputError` with the nearest known one."""
    known = names(package)
    if name not in known:
        raise InputError(f"unknown {package.__name__.rsplit('.', 1)[-1].rstrip('s')} {name!r}{nearest(name, known)}")
    return import_module(f"{package.__name__}.{name}")
