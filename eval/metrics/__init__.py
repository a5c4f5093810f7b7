"""The metrics by name. A new one is a table, a reduction and a line in the ``METRICS`` of a module of this folder."""

import sys
from collections.abc import Mapping
from functools import cache

from converters.core import errors, registry
from converters.core.errors import InputError
from eval.metrics.base import Metric


@cache
def known() -> Mapping[str, Metric]:
    """Return every metric by name, as the modules of this folder list them; no name may stand in two."""
    here = sys.modules[__name__]
    found = [
        (name, metric) for unit in registry.names(here) for name, metric in registry.load(here, unit).METRICS.items()
    ]
    assert len(dict(found)) == len(found), "a metric's name stands in two modules"
    return dict(found)


def get(name: str) -> Metric:
    """Return the metric called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    if name not in known():
        raise InputError(f"unknown metric {name!r}{errors.nearest(name, list(known()))}")
    return known()[name]
