"""Regular expressions that are compiled when they are first needed, for most texts are of ASCII and never need them."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Literal


def late(pattern: str, package: Literal["re", "regex"] = "regex") -> Callable[[], Any]:
    """Return what compiles a pattern once: a class of many scripts takes milliseconds, and so does importing the package regex.

    >>> late("[a-c]+", "re")().findall("cab and mug")
    ['cab', 'a']
    """
    return cache(lambda: import_module(package).compile(pattern))
