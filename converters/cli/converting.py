"""Raw files to rows: list, convert, build, join-mave."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converters.cli.group import FILE, LINES, WORKERS, counted, main, print_account, print_unused
from converters.core.console import begin_server, progress
from converters.core.errors import InputError
from converters.core.garbage import seldom_collected

if TYPE_CHECKING:
    from converters.mixture.spec import Spec

LARGE = 50 * 2**20  # bytes that take so long to look through that it must be said
CLEANERS = "Number of processes that clean texts; reading takes longer, so one is the fastest for most files."


@main.command("list")
@click.argument("source", required=False)
def list_sources(source: str | None) -> None:
    """List the datasets, or explain the options of one.

    Example: ecom-data list catalog
    """
    import yaml

    from converters import sources
    from converters.mixture import spec as specs

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
    from converters.mixture import spec as specs

    entry = specs.Entry(source=source, paths=list(raw), tasks=list(names), options=sources.given(source, options))
    paths, told = distinct(raw)
    if sum(path.stat().st_size for path in paths if path.is_file()) > LARGE:
        click.echo("looking through the files once; then they are converted", err=True)
    for line in (*told, *sources.completed(source, paths, entry.options).lines):
        click.echo(line)
    account = building.alone(entry, out, workers, rejects, progress("raw rows"))
    print_account(account)
    _print_labels(account["labels"])
    if rejects:
        print_unused(account, rejects)
    of_task = ", ".join(f"{task} {count:,}" for task, count in account["tasks"].items())
    click.echo(f"{counted(account['rows'], 'row')} in {out}: {of_task}")
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
    begin_server(workers, "converters.mixture.build")  # which then is loaded there and here at the same time
    from converters.core import cluster
    from converters.mixture import build as building
    from converters.mixture import spec as specs
    from converters.mixture.manifest import forbids

    plan = specs.load(spec, overrides if seed is None else [*overrides, f"seed={seed}"])
    if shard is not None:
        if engine or address:
            raise InputError("--shard and --engine are two ways to share the work: leave one out")
        _build_share(plan, out, shard, workers)
        return
    for line in building.remarks(plan, out):
        click.echo(line, err=True)
    with cluster.engine(engine, address) as where:
        ticks = progress("raw rows"), progress("rows measured")
        manifest = building.build(plan, out, workers, rejects, *ticks, where)
    if rejects:
        print_unused(manifest, out / "rejects.jsonl")
    for entry in (entry for entry in plan.sources if entry not in building.needed(plan)):
        click.echo(f"{entry.source}: left out: general_share is 0, and {', '.join(entry.paths)} is missing")
    _print_sources(manifest)
    for name, split in manifest["splits"].items():
        click.echo(f"{name}: {_split(split)}")
    for licence in sorted({a["licence"] for a in manifest["sources"] if forbids(a["licence"])}):
        click.echo(f"licence: {licence}", err=True)
    click.echo(f"{out}/manifest.json says what became of every raw row; {out}/card.html shows what is in the mixture")


def _build_share(plan: "Spec", out: Path, text: str, workers: int) -> None:
    from converters.mixture import build as building
    from converters.mixture.convert import shares

    share = shares.parse(text)
    done = building.build_share(plan, out, share, workers, progress("raw rows"))
    click.echo(f"shard {share}: converted {counted(done.units, 'unit')}, {counted(done.read, 'raw row')}")
    if done.early:
        click.echo(
            "rows are to be brought together: run the same command again when the other shards have come this far"
        )
    click.echo("the same command without --shard converts what is still missing and merges all")


def _print_sources(manifest: dict[str, Any]) -> None:
    for account in manifest["sources"]:
        for line in account["seen"]:
            click.echo(line)
        print_account(account)


def _split(split: dict[str, Any]) -> str:
    tasks = ", ".join(f"{task} {count:,}" for task, count in split["tasks"].items())
    rows = f"{split['rows']:,} rows of {split['groups']:,} groups ({tasks})"
    return f"{rows}; general {split['general_share']:.1%}\n  {_lengths(split['lengths'])}"


def _lengths(lengths: dict[str, Any]) -> str:
    share, over = lengths["general_share_of_supervised"], lengths["over_sequence_len"]
    text = f"{lengths['total']:,} {lengths['unit']}, {lengths['supervised']:,} of them answers ({share:.1%} general)"
    return text + (f"; {over:,} rows over sequence_len {lengths['sequence_len']:,}" if over else "")


@main.command("join-mave")
@click.option("--labels", required=True, multiple=True, type=FILE, help="A file of MAVE's labels; may be repeated.")
@click.option("--metadata", required=True, multiple=True, type=FILE, help="All_Amazon_Meta.json, plain or gzipped.")
@click.option("--out", required=True, type=FILE, help="The JSONL file to write; its manifest is written beside it.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help=CLEANERS)
@seldom_collected()  # while it imports, too
def join_mave(labels: tuple[Path, ...], metadata: tuple[Path, ...], out: Path, workers: int) -> None:
    """Join MAVE's labels with the texts of their products.

    The texts are those of Amazon Review Data 2018.

    Example: ecom-data join-mave --labels mave_positives_labels.jsonl --metadata All_Amazon_Meta.json.gz --out joined.jsonl
    """
    from converters.io.jsonl import write_json
    from converters.sources.mave import join as joining

    counts = joining.join(labels, metadata, out, workers, progress("raw rows"))
    files = {"labels": labels, "metadata": metadata}
    accounts = {side: joining.account(counts[side], paths) for side, paths in files.items()}
    write_json(out.with_name(out.name + ".manifest.json"), accounts)
    for side, account in accounts.items():
        print_account({"source": side, "dropped": {}} | account)
    click.echo(f"{counted(accounts['labels']['used'], 'record')} in {out}")


def _print_labels(labels: dict[str, Any]) -> None:
    """Print the most frequent labels, so that one which is none strikes the eye, and those of a single row."""
    if not labels["different"]:
        return
    click.echo(f"{counted(labels['different'], 'different label')}; those of most rows:")
    for label, count in labels["most"].items():
        click.echo(f"  {count:>7,}  {label}")
    if once := [label for label in labels["once"] if label not in labels["most"]]:
        listed = "; ".join(once[:LINES]) + ("; ..." if len(once) > LINES else "")
        click.echo(f"{counted(len(labels['once']), 'label')} of one row, such as: {listed}")
