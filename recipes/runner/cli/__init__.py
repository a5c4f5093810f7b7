"""``ecom-train``: check, train and merge recipes. One module a part of a run's life; each puts its commands into ``main``.

Uses every room. Nothing here decides or computes.
"""

from recipes.runner.cli import results, tools, training
from recipes.runner.cli.group import main

__all__ = ["main", "results", "tools", "training"]
