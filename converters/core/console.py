"""What the three command lines share: sentences instead of tracebacks, exit code 1, and progress."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from converters.core.errors import InputError


@contextmanager
def libraries_log_to(log: Path) -> Iterator[None]:
    """Append to ``log`` what this process prints on both outputs, C code and child processes included."""
    log.parent.mkdir(parents=True, exist_ok=True)
    originals = {number: os.dup(number) for number in (1, 2)}
    try:
        with log.open("ab") as file:
            sys.stdout.flush()
            for number in originals:
                os.dup2(file.fileno(), number)
        yield
    finally:
        sys.stdout.flush()
        for number, original in originals.items():
            os.dup2(original, number)
            os.close(original)


def _stop(sentence: str) -> None:
    click.echo(f"error: {sentence}", err=True)
    sys.exit(1)


def progress(what: str) -> Callable[[int], None]:
    """Return what shows how many of ``what`` there are so far, and how many a second: on a terminal, once two seconds passed."""
    bar: Any = None

    def tick(count: int) -> None:
        nonlocal bar
        if bar is None:  # the time begins with the first count
            bar = tqdm(unit=f" {what}", initial=count, delay=2, mininterval=1, leave=False, disable=None)
        bar.update(count - bar.n)

    return tick


class Group(click.Group):
    """A click group that turns what a user can cause into one sentence on standard error and exit code 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; when its reader goes away, as head does, click ends it quietly."""
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except InputError as error:
            _stop(str(error))
        except click.UsageError as error:
            _stop(f"{error.format_message()} (see {error.ctx.command_path if error.ctx else ''} --help)")
        except click.ClickException as error:
            _stop(error.format_message())
        except click.Abort:
            _stop("interrupted; nothing half-written was left behind, run the same command again")
        except OSError as error:
            _stop(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
        sys.exit(code if isinstance(code, int) else 0)
