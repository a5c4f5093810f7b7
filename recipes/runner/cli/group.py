"""The command itself, and what its parts share."""

import sys
from pathlib import Path

import click

from converters.console import Group

RUN = click.argument("run")
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=Group)
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Check a recipe, train it with Axolotl, merge the result."""


def echo(piece: bytes) -> None:
    """Hand on what a process of a run prints, as it comes."""
    sys.stdout.buffer.write(piece)
    sys.stdout.flush()
