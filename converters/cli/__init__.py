"""``ecom-data``: raw files in, Axolotl training mixtures out. Each module puts commands into ``main``."""

from converters.cli import checking, converting
from converters.cli.group import main

__all__ = ["checking", "converting", "main"]
