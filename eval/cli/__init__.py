"""``ecom-eval``: generate predictions, score them, compare runs, send them out. Each module puts its commands into ``main``.

Uses every room. Nothing here decides or computes.
"""

from eval.cli import answering, outward, scoring
from eval.cli.group import main

__all__ = ["answering", "main", "outward", "scoring"]
