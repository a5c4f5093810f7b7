"""The metrics by name. A new one is a table, a reduction and a line in the ``METRICS`` of one of these modules."""

from converters.errors import InputError
from converters.registry import nearest
from eval.metrics import classes, matches, ranks, slots, texts
from eval.metrics.base import Metric

METRICS: dict[str, Metric] = {**classes.METRICS, **slots.METRICS, **texts.METRICS, **matches.METRICS, **ranks.METRICS}


def get(name: str) -> Metric:
    """Return the metric called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    if name not in METRICS:
        raise InputError(f"unknown metric {name!r}{nearest(name, list(METRICS))}")
    return METRICS[name]
