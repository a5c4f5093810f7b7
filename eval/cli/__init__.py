"""``ecom-eval``: generate predictions, score them, compare runs. Each module puts its commands into ``main``."""

from eval.cli import answering, scoring
from eval.cli.group import main

__all__ = ["answering", "main", "scoring"]
