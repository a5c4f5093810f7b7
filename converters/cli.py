"""``ecom-data``: raw files in, Axolotl training mixtures out."""

from collections import Counter
from pathlib import Path
from typing import Any

import click
import yaml

from converters.core import cluster
from converters.core.console import Group, progress
from converters.core.errors import InputError
from converters.io.jsonl import write_json
from converters.mixture import spec as specs
from converters.validation import check as checking

FILE = click.Path(path_type=Path)
UNITS = {"rejected": "raw row", "noted": "time", "dropped": "example"}  # what each count of an account counts
LINES = 20  # of one kind that are printed; the manifest has all of them
LARGE = 50 * 2**20  # bytes that take so long to look through that it must be said
WORKERS = click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Number of processes.")


@click.group(cls=Group)
def main() -> None:
    """Turn public datasets and your own catalogue into one training mixture."""


@main.command("list")
@click.argument("source", required=False)
def list_sources(source: str | None) -> None:
    """List the datasets, or explain the options of one.

    Example: ecom-data list catalog
    """
    from converters import sources

    for name in [source] if source else sources.names():
        unit = sources.get(name)
        styles = [task for task in specs.possible_tasks(name) if task not in unit.TASKS]
        more = f"; on request: {', '.join(styles)}" if styles else ""
        click.echo(f"{name}\n  tasks: {', '.join(unit.TASKS)}{more}")
        click.echo(f"  files: {unit.FILES}\n  options: {', '.join(sources.option_names(name)) or 'none'}")
        click.echo(f"  from: {unit.URL}\n  licence: {unit.LICENCE}")
    for option in sources.options(source) if source else ():
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        value = yaml.safe_dump(default, default_flow_style=True).splitlines()[0]
        click.echo(f"  --option {option.name}={value}\n      {option.line}")


@main.command()
@click.argument("source")
@click.argument("raw", nargs=-1, required=True)
@click.option("--out", required=True, type=FILE, help="The JSONL file to write; its manifest is written beside it.")
@click.option("--task", "names", multiple=True, help="Make examples of this task only; may be repeated.")
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE", help="Set an option of the source; may be repeated."
)
@click.option("--rejects", type=FILE, help="Write each raw row that was not used to this file, with the reason.")
@WORKERS
def convert(
    source: str,
    raw: tuple[str, ...],
    out: Path,
    names: tuple[str, ...],
    options: tuple[str, ...],
    rejects: Path | None,
    workers: int,
) -> None:
    """Convert the files of one dataset.

    RAW is a file, folder, pattern or hub:owner/name; 'ecom-data list SOURCE' explains the options of a source.

    Example: ecom-data convert catalog shop.csv --option id=sku --option title=name --out data/shop.jsonl
    """
    from converters import sources
    from converters.io.copies import distinct
    from converters.mixture import build as building

    entry = specs.Entry(source=source, paths=list(raw), tasks=list(names), options=sources.given(source, options))
    paths, told = distinct(raw)
    if sum(path.stat().st_size for path in paths if path.is_file()) > LARGE:
        click.echo("looking through the files once; then they are converted", err=True)
    for line in (*told, *sources.completed(source, paths, entry.options).lines):
        click.echo(line)
    account = building.alone(entry, out, workers, rejects, progress("raw rows"))
    _print_account(account)
    _print_labels(account["labels"])
    if rejects:
        _print_unused(account, rejects)
    of_task = ", ".join(f"{task} {count:,}" for task, count in account["tasks"].items())
    click.echo(f"{_count(account['rows'], 'row')} in {out}: {of_task}")
    if (mapping := building.mapping_of(out)).is_file():
        click.echo(f"the options are in {mapping}; to change some, edit it and add --option mapping={mapping}")


@main.command()
@click.argument("spec", type=FILE)
@click.option("--out", required=True, type=FILE, help="The folder of the mixture.")
@click.option("--seed", type=int, help="Override the specification's seed.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the specification.")
@click.option("--rejects", is_flag=True, help="Write each raw row that was not used to OUT/rejects.jsonl.")
@click.option(
    "--shard", metavar="i/N", help="Convert the i-th of N shares of the raw rows, in N processes that see one folder."
)
@click.option(
    "--engine", type=click.Choice(["ray"]), help="Convert on all machines of a Ray cluster, which share a disk."
)
@click.option("--address", help="The cluster's head, host:port.  [default: the one on this machine, or a new one]")
@WORKERS
def build(
    spec: Path,
    out: Path,
    seed: int | None,
    overrides: tuple[str, ...],
    rejects: bool,
    shard: str | None,
    engine: str | None,
    address: str | None,
    workers: int,
) -> None:
    """Build a mixture from its specification.

    It writes train, validation and test rows and a manifest that accounts for every raw row. After an interruption, the same
    command continues where it stopped.

    Example: ecom-data build recipes/mixes/demo.yaml --out data/demo
    """
    from converters.mixture import build as building
    from converters.mixture.manifest import forbids

    plan = specs.load(spec, overrides if seed is None else [*overrides, f"seed={seed}"])
    if shard:
        _build_share(plan, out, shard, workers)
        return
    for line in building.remarks(plan, out):
        click.echo(line, err=True)
    with cluster.engine(engine, address) as where:
        ticks = progress("raw rows"), progress("rows measured")
        manifest = building.build(plan, out, workers, rejects, *ticks, where)
    if rejects:
        _print_unused(manifest, out / "rejects.jsonl")
    for entry in (entry for entry in plan.sources if entry not in building.needed(plan)):
        click.echo(f"{entry.source}: left out: general_share is 0, and {', '.join(entry.paths)} is missing")
    _print_sources(manifest)
    for name, split in manifest["splits"].items():
        click.echo(f"{name}: {_split(split)}")
    for licence in sorted({a["licence"] for a in manifest["sources"] if forbids(a["licence"])}):
        click.echo(f"licence: {licence}", err=True)
    click.echo(f"{out}/manifest.json says what became of every raw row; {out}/card.html shows what is in the mixture")


def _build_share(plan: specs.Spec, out: Path, text: str, workers: int) -> None:
    from converters.mixture import build as building
    from converters.mixture.convert import shares

    share = shares.parse(text)
    done = building.build_share(plan, out, share, workers, progress("raw rows"))
    click.echo(f"shard {share}: converted {_count(done.units, 'unit')}, {_count(done.read, 'raw row')}")
    if done.early:
        click.echo(
            "rows are to be brought together: run the same command again when the other shards have come this far"
        )
    click.echo("the same command without --shard converts what is still missing and merges all")


def _print_sources(manifest: dict[str, Any]) -> None:
    for account in manifest["sources"]:
        for line in account["seen"]:
            click.echo(line)
        _print_account(account)


def _split(split: dict[str, Any]) -> str:
    tasks = ", ".join(f"{task} {count:,}" for task, count in split["tasks"].items())
    rows = f"{split['rows']:,} rows of {split['groups']:,} groups ({tasks})"
    return f"{rows}; general {split['general_share']:.1%}\n  {_lengths(split['lengths'])}"


def _lengths(lengths: dict[str, Any]) -> str:
    share, over = lengths["general_share_of_supervised"], lengths["over_sequence_len"]
    text = f"{lengths['total']:,} {lengths['unit']}, {lengths['supervised']:,} of them answers ({share:.1%} general)"
    return text + (f"; {over:,} rows over sequence_len {lengths['sequence_len']:,}" if over else "")


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
    from converters.sources.catalog.taxonomy import load
    from converters.text.lengths import ruler

    if sequence_len and not tokenizer:
        raise InputError("--sequence-len needs --tokenizer to count tokens with")
    tree = load(taxonomy).paths if taxonomy else frozenset()
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
    raise InputError(f"{path}: {_count(kinds.total(), 'finding')}{copy}")


def _fix(path: Path, paths: list[Path], rules: checking.Rules) -> str:
    from converters.validation import fix

    out = fix.beside(path)
    fixed = fix.fix(path, paths, out, rules, progress("rows"))
    for name, counts in (("mended", fixed.mended), ("left out", fixed.left_out)):
        for kind, count in counts.most_common():
            click.echo(f"  {name} {count:,}: {kind}", err=True)
    return f"{fixed.written:,} of {fixed.read:,} rows are in {out}, a corrected copy"


@main.command("join-mave")
@click.option("--labels", required=True, multiple=True, type=FILE, help="A file of MAVE's labels; may be repeated.")
@click.option("--metadata", required=True, multiple=True, type=FILE, help="All_Amazon_Meta.json, plain or gzipped.")
@click.option("--out", required=True, type=FILE, help="The JSONL file to write; its manifest is written beside it.")
@WORKERS
def join_mave(labels: tuple[Path, ...], metadata: tuple[Path, ...], out: Path, workers: int) -> None:
    """Join MAVE's labels with the texts of their products.

    The texts are those of Amazon Review Data 2018.

    Example: ecom-data join-mave --labels mave_positives_labels.jsonl --metadata All_Amazon_Meta.json.gz --out joined.jsonl
    """
    from converters.sources.mave import join as joining

    counts = joining.join(labels, metadata, out, workers, progress("raw rows"))
    files = {"labels": labels, "metadata": metadata}
    accounts = {side: joining.account(counts[side], paths) for side, paths in files.items()}
    write_json(out.with_name(out.name + ".manifest.json"), accounts)
    for side, account in accounts.items():
        _print_account({"source": side, "dropped": {}} | account)
    click.echo(f"{_count(accounts['labels']['used'], 'record')} in {out}")


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


def _print_account(account: dict[str, Any]) -> None:
    from converters.io.files import with_advice

    read, rejected = _count(account["read"], "raw row"), sum(account["rejected"].values())
    click.echo(f"{account['source']}: read {read}, used {account['used']:,}, rejected {rejected:,}")
    for kind, unit in UNITS.items():
        counts = Counter(account[kind])
        for reason, count in counts.most_common(LINES):
            click.echo(f"  {kind} {_count(count, unit)}: {with_advice(reason)}")
        if len(counts) > LINES:
            click.echo(f"  {kind}: {len(counts) - LINES:,} more reasons are in the manifest")
    if any(reason.startswith("not published") for reason in account["noted"]):
        click.echo("  what is not published is kept; option unpublished=drop leaves it out")


def _print_labels(labels: dict[str, Any]) -> None:
    """Print the most frequent labels, so that one which is none strikes the eye, and those of a single row."""
    if not labels["different"]:
        return
    click.echo(f"{_count(labels['different'], 'different label')}; those of most rows:")
    for label, count in labels["most"].items():
        click.echo(f"  {count:>7,}  {label}")
    if once := [label for label in labels["once"] if label not in labels["most"]]:
        listed = "; ".join(once[:LINES]) + ("; ..." if len(once) > LINES else "")
        click.echo(f"{_count(len(labels['once']), 'label')} of one row, such as: {listed}")


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _print_unused(account: dict[str, Any], path: Path) -> None:
    count = account["read"] - account["used"]
    was, has = ("was", "is") if count == 1 else ("were", "are")
    click.echo(f"{_count(count, 'raw row')} that {was} not used {has} in {path}")


if __name__ == "__main__":
    main()
