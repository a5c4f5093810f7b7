"""The command itself, and what its parts share."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from converters.core.console import Group

RUN = click.argument("run")
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=Group)
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Check a recipe, train it with Axolotl, merge the result."""


def progress(log: Path) -> Callable[[bytes], None]:
    """Return what shows the user how far a process is whose whole output goes to ``log``."""
    from recipes.runner.training.process import Progress

    return Progress(sys.stdout, log)
