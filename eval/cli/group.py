"""The command itself, and what its parts share."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from converters.core.console import Group

NOISY = ("torchao", "torch.utils._pytree", "bitsandbytes")  # they warn of every kernel that this machine cannot use
PATH = click.Path(path_type=Path)
DATA = click.option("--data", type=PATH, required=True, help="Test rows: a mixture's test.jsonl.")


@click.group(cls=Group, context_settings={"show_default": True})
@click.version_option(package_name="ecom-llm-recipes")
def main() -> None:
    """Generate predictions, score them with intervals, report and compare."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar, to be called with (done, total); what the first call counts as done took no time."""
    shown: Any = None

    def update(done: int, total: int) -> None:
        nonlocal shown
        shown = shown or tqdm(total=total, initial=done, unit=f" {unit}", mininterval=2, dynamic_ncols=True)
        shown.update(done - shown.n)

    try:
        yield update
    finally:
        if shown is not None:
            shown.close()  # an error starts a line of its own


def status() -> Callable[[str], None]:
    """Return a function that prints messages on stderr, at most every other second."""
    last = -math.inf

    def tell(message: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= 2:
            last = now
            click.echo(message, err=True)

    return tell
