"""The command group, and what its commands share."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from converters.core.console import Group

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


def bar(unit: str) -> Callable[[int, int], None]:
    """Return a progress bar, to be called with (done, all of them); what the first call counts as done took no time."""
    shown: Any = None

    def update(done: int, total: int) -> None:
        nonlocal shown
        shown = shown or tqdm(total=total, initial=done, unit=f" {unit}", mininterval=2, dynamic_ncols=True)
        shown.update(done - shown.n)
        if done == total:
            shown.close()

    return update


def status() -> Callable[[str], None]:
    """Return a function that prints messages on stderr, at most every other second."""
    last = -math.inf

    def tell(message: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= 2:
            last = now
            click.echo(message, err=True)

    return tell
