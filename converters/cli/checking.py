"""What is made already, looked at: rows, and two releases of a taxonomy."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from converters.cli.group import FILE, counted, main
from converters.core.console import progress
from converters.core.errors import InputError

if TYPE_CHECKING:
    from converters.validation.check import Rules


@main.command()
@click.argument("path", type=FILE)
@click.option("--fix", "fixing", is_flag=True, help="Write a corrected copy beside the input, which is not changed.")
@click.option(
    "--taxonomy", type=FILE, help="Taxonomy in Google's or Shopify's format in which every category path must occur."
)
@click.option("--tokenizer", type=FILE, help="A tokenizer file to measure the rows with.")
@click.option(
    "--sequence-len", type=click.IntRange(1), help="Largest number of tokens a row may have.  [default: 2048]"
)
def check(path: Path, fixing: bool, taxonomy: Path | None, tokenizer: Path | None, sequence_len: int | None) -> None:
    """Check a JSONL file or the folder of a mixture.

    It exits with 1 if something is wrong. The corrected copy of --fix mends control tokens, white space and repeated ids, and
    leaves out all other rows that have a finding.

    Example: ecom-data check data/demo
    """
    from converters.text.lengths import ruler
    from converters.validation import check as checking

    if sequence_len and not tokenizer:
        raise InputError("--sequence-len needs --tokenizer to count tokens with")
    tree = _paths(taxonomy) if taxonomy else frozenset()
    rules = checking.Rules(tree, ruler(tokenizer) if tokenizer else None, sequence_len or 2048)
    paths = checking.files(path)
    kinds: Counter[str] = Counter()
    for finding in checking.findings(paths, rules, progress("rows")):
        click.echo(finding, err=True)
        kinds[finding.problem.kind] += 1
    if not kinds:
        click.echo(f"{', '.join(map(str, paths))}: nothing wrong")
        return
    for kind, count in kinds.most_common():
        click.echo(f"  {count:,}: {kind}", err=True)
    copy = f"; {_fix(path, paths, rules)}" if fixing else ""
    raise InputError(f"{path}: {counted(kinds.total(), 'finding')}{copy}")


def _paths(taxonomy: Path) -> frozenset[tuple[str, ...]]:
    from converters.sources.catalog.taxonomy import load

    return load(taxonomy).paths


def _fix(path: Path, paths: list[Path], rules: "Rules") -> str:
    from converters.validation import fix

    out = fix.beside(path)
    fixed = fix.fix(path, paths, out, rules, progress("rows"))
    for name, counts in (("mended", fixed.mended), ("left out", fixed.left_out)):
        for kind, count in counts.most_common():
            click.echo(f"  {name} {count:,}: {kind}", err=True)
    return f"{fixed.written:,} of {fixed.read:,} rows are in {out}, a corrected copy"


@main.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
def taxonomy(old: Path, new: Path) -> None:
    """Tell what changed between two releases of a taxonomy.

    OLD and NEW are files in Google's or in Shopify's format. After the counts comes a line for each id that is new, gone,
    renamed, moved, or below one of these: the kind, the id, the old and the new path, with tabs between.

    Example: ecom-data taxonomy categories-2024-07.txt categories-2025-03.txt
    """
    from converters.sources.catalog.taxonomy import load
    from converters.sources.google_taxonomy import GONE, KINDS, changes

    before, after = load(old), load(new)
    found = changes(before, after)
    if sum(change.kind == GONE for change in found) == sum(bool(path) for _, _, path in before.lines):
        raise InputError(f"{new}: has no id of {old}: name two releases of one taxonomy")
    counts = Counter(change.kind for change in found)
    click.echo(f"{before.release} to {after.release}: {', '.join(f'{counts[kind]:,} {kind}' for kind in KINDS)}")
    for kind, identifier, path, now in found:
        click.echo("\t".join((kind, identifier, " > ".join(path), " > ".join(now))))


@main.command("demo-raw", hidden=True, add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1)
def demo_raw(words: tuple[str, ...]) -> None:
    """Name the command that replaces this one, for one release."""
    raise InputError(f"ecom-data demo-raw is now: {' '.join(('ecom-train', 'demo-raw', *words))}")
