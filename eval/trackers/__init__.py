"""Experiment trackers, one module each, and what of a run they are sent.

A tracker module has ``PACKAGE``, what has to be installed, and ``send(sent, project, uri) -> str``, which puts a run there and
returns where it is. Sending is idempotent: what the tracker has already is not sent again, and what has changed is.

Uses results alone. Nothing is computed here that a report shows.
"""

import importlib.util
import sys
from types import ModuleType

from converters.core import registry
from converters.core.errors import InputError, first_line
from eval.trackers.base import Sent

PROJECT = "ecom-llm-recipes"


def names() -> list[str]:
    """Return the names of all trackers, sorted."""
    return registry.names(sys.modules[__name__])


def get(name: str) -> ModuleType:
    """Return the tracker called ``name``; an unknown one, or one that is not installed, is an ``InputError``."""
    unit = registry.load(sys.modules[__name__], name)
    if not importlib.util.find_spec(name):
        raise InputError(
            f"{name} is not installed here: pip install {unit.PACKAGE}, or this project with its extra 'track'"
        )
    return unit


def send(name: str, sent: Sent, project: str | None, uri: str | None) -> str:
    """Send a run to a tracker and return where it is; whatever the tracker or the way to it refuses is an ``InputError``.

    Without ``project`` it is the one that the recipe names for this tracker, if any: the training's own curve is there.
    """
    unit = get(name)
    try:
        where: str = unit.send(sent, project or sent.named.get(name, {}).get("project") or PROJECT, uri)
    except Exception as error:
        raise InputError(
            f"{name} took nothing, or not all: {first_line(error).rstrip('.')}; the same command sends the rest"
        ) from error
    return where
