"""The command itself, and what its parts share."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import click

from converters.console import Group

RUN = click.Path(path_type=Path)
NOISY = ("torchao", "torch.utils._pytree", "bitsandbytes")  # they warn of every kernel that this machine cannot use


@click.group(cls=Group)
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Predictions in; scores with intervals, reports and comparisons out."""


def hush() -> None:
    """Silence noisy third-party loggers."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)


def now_and_then() -> Callable[[str], None]:
    """Return what prints progress, at most every other second."""
    last = -math.inf

    def tell(words: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= 2:
            last = now
            click.echo(words, err=True)

    return tell
