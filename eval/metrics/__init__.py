"""The metrics by name. A new one is a table, a reduction and an entry in the ``METRICS`` of a module of this folder.

Uses converters alone. Files, floors and intervals do not belong here: a metric takes values and returns values.
"""

import sys
from collections.abc import Mapping
from functools import cache

from converters.core import errors, registry
from converters.core.errors import InputError
from eval.metrics.base import Metric


@cache
def known() -> Mapping[str, Metric]:
    """Return every metric by name, as the modules of this folder list them; a name must not occur twice."""
    here = sys.modules[__name__]
    pairs = [pair for unit in registry.names(here) for pair in registry.load(here, unit).METRICS.items()]
    assert len(dict(pairs)) == len(pairs), "two modules define a metric of the same name"
    return dict(pairs)


def get(name: str) -> Metric:
    """Return the metric called ``name``; an unknown name is an ``InputError`` that suggests the nearest known one."""
    if name not in known():
        raise InputError(f"unknown metric {name!r}{errors.nearest(name, list(known()))}")
    return known()[name]
