"""The command itself, and what its parts share."""

from collections import Counter
from pathlib import Path
from typing import Any

import click

from converters.core.console import Group

FILE = click.Path(path_type=Path)
UNITS = {"rejected": "raw row", "noted": "time", "dropped": "example"}  # what each count of an account counts
LINES = 20  # of one kind that are printed; the manifest has all of them
WORKERS = click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Number of processes.")


@click.group(cls=Group)
def main() -> None:
    """Turn public datasets and your own catalogue into one training mixture."""


def print_account(account: dict[str, Any]) -> None:
    """Print what became of the raw rows of a source."""
    from converters.io.files import with_advice

    read, rejected = counted(account["read"], "raw row"), sum(account["rejected"].values())
    click.echo(f"{account['source']}: read {read}, used {account['used']:,}, rejected {rejected:,}")
    for kind, unit in UNITS.items():
        counts = Counter(account[kind])
        for reason, count in counts.most_common(LINES):
            click.echo(f"  {kind} {counted(count, unit)}: {with_advice(reason)}")
        if len(counts) > LINES:
            click.echo(f"  {kind}: {len(counts) - LINES:,} more reasons are in the manifest")
    if any(reason.startswith("not published") for reason in account["noted"]):
        click.echo("  what is not published is kept; option unpublished=drop leaves it out")


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, such as ``2 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def print_unused(account: dict[str, Any], path: Path) -> None:
    """Say where the raw rows are that were not used."""
    count = account["read"] - account["used"]
    was, has = ("was", "is") if count == 1 else ("were", "are")
    click.echo(f"{counted(count, 'raw row')} that {was} not used {has} in {path}")
