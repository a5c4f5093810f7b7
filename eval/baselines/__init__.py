"""The baselines: one file each, what answers without training a language model can score. The folder is their registry.

Uses answers and what lies below it; sees test rows without their answers. Floors are for scoring.
"""

import sys

from converters.core import registry
from eval.baselines.base import Baseline


def names() -> list[str]:
    """Return the names of all baselines, sorted."""
    return registry.names(sys.modules[__name__])


def get(name: str) -> Baseline:
    """Return the baseline called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    baseline: Baseline = registry.load(sys.modules[__name__], name).BASELINE
    return baseline
