"""``ecom-data``: raw files in, Axolotl training mixes out."""

from collections import Counter
from pathlib import Path
from typing import Any

import click
import yaml

from converters.core.console import Group, progress
from converters.core.errors import InputError
from converters.io.jsonl import write_json
from converters.mixture import spec as specs
from converters.mixture.manifest import mended
from converters.validation import check as checking

FilePath = click.Path(path_type=Path)
# What each count of an account is of; a row may have several notes.
UNITS = {"rejected": "raw row", "noted": "time", "dropped": "example"}
WORKERS = click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes; no byte depends on their number.",
)


@click.group(cls=Group)
def main() -> None:
    """Turn public datasets and your own catalogue into one clean training mix."""


@main.command("list")
@click.argument("source", required=False)
def list_sources(source: str | None) -> None:
    """Show every dataset with its licence, files and tasks, or one of them with its options explained.

    Example: ecom-data list catalog
    """
    from converters import sources

    for name in [source] if source else sources.names():
        unit = sources.get(name)
        options = ", ".join(sources.option_names(name)) or "none"
        styles = [task for task in specs.possible_tasks(name) if task not in unit.TASKS]
        also = f"; when named: {', '.join(styles)}" if styles else ""
        click.echo(f"{name}\n  tasks: {', '.join(unit.TASKS)}{also}\n  files: {unit.FILES}\n  options: {options}")
        click.echo(f"  from: {unit.URL}\n  licence: {unit.LICENCE}")
    for option in sources.options(source) if source else ():
        click.echo(f"  --option {option.name}={_told(option.default)}\n      {option.line}")


def _told(default: Any) -> str:
    """Return an option's default as ``--option`` would take it."""
    return yaml.safe_dump(list(default) if isinstance(default, tuple) else default, default_flow_style=True).split(
        "\n"
    )[0]


@main.command()
@click.argument("source")
@click.argument("raw", nargs=-1, required=True)
@click.option("--out", required=True, type=FilePath, help="The JSONL file to write; its manifest goes beside it.")
@click.option("--task", "names", multiple=True, help="Only this task (may be given more than once).")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the source, see 'ecom-data list SOURCE'.",
)
@click.option("--rejects", type=FilePath, help="Write each raw row that was not used here, with its line and reason.")
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
    """Convert one dataset alone.

    Example: ecom-data convert catalog shop.csv --option id=sku --option title=name --out data/shop.jsonl
    """
    from converters.mixture import build as building

    entry = specs.Entry(source=source, paths=list(raw), tasks=list(names), options=dict(map(_option, options)))
    found = building.alone(entry, out, workers, rejects, progress("raw rows"))
    _tell(found)
    if rejects:
        click.echo(_unused(found, rejects))
    click.echo(f"{found['rows']:,} rows in {out}")


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--option {text!r}: found no '=', expected KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(
            f"--option {text!r}: found {value!r}, expected a YAML value such as 5 or {{Brand: brand}}"
        ) from error


@main.command()
@click.argument("spec", type=FilePath)
@click.option("--out", required=True, type=FilePath, help="The folder of the mix.")
@click.option("--seed", type=int, help="Instead of the specification's seed.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, such as general_share=0.05."
)
@click.option(
    "--rejects", is_flag=True, help="Write rejects.jsonl beside the manifest: each raw row that was not used."
)
@WORKERS
def build(spec: Path, out: Path, seed: int | None, overrides: tuple[str, ...], rejects: bool, workers: int) -> None:
    """Build a whole mix: train, validation and test rows with a manifest that accounts for every raw row.

    Interrupted, it goes on where it stopped when it is called again.

    Example: ecom-data build recipes/mixes/demo.yaml --out data/demo
    """
    from converters.mixture import build as building
    from converters.mixture.manifest import forbids

    plan = specs.load(spec, overrides if seed is None else [*overrides, f"seed={seed}"])
    found = building.build(plan, out, workers, rejects, progress("raw rows"), progress("rows measured"))
    if rejects:
        click.echo(_unused(found, out / "rejects.jsonl"))
    for account in found["sources"]:
        _tell(account)
    for name, split in found["splits"].items():
        tasks = ", ".join(f"{task} {count:,}" for task, count in split["tasks"].items())
        click.echo(
            f"{name}: {split['rows']:,} rows of {split['groups']:,} groups ({tasks}); general {split['general_share']:.1%}"
        )
        click.echo(f"  {_lengths(split['lengths'])}")
    for licence in sorted({a["licence"] for a in found["sources"] if forbids(a["licence"])}):
        click.echo(f"licence: {licence}", err=True)
    click.echo(f"{out}/manifest.json says what became of every raw row; {out}/card.html shows what is in the mix")


def _lengths(found: dict[str, Any]) -> str:
    over = found["over_sequence_len"]
    told = f"{found['total']:,} {found['unit']}, {found['supervised']:,} of them answers"
    told += f" ({found['general_share_of_supervised']:.1%} general)"
    return told + (f"; {over:,} rows over sequence_len {found['sequence_len']:,}" if over else "")


@main.command()
@click.argument("path", type=FilePath)
@click.option("--fix", "fixing", is_flag=True, help="Write a corrected copy beside it; the input stays as it is.")
@click.option("--taxonomy", type=FilePath, help="A Google-format file: every category must be a path of it.")
@click.option(
    "--tokenizer", type=FilePath, help="A tokenizer.json, tekken.json or SentencePiece file: rows are measured."
)
@click.option("--sequence-len", type=click.IntRange(1), help="The most tokens of a row's text.  [default: 2048]")
def check(path: Path, fixing: bool, taxonomy: Path | None, tokenizer: Path | None, sequence_len: int | None) -> None:
    """Check a JSONL file or a mix against the contract; exit with 1 when something is wrong.

    A corrected copy mends what can be mended (control tokens, white space, repeated ids) and leaves the other rows out, counted.

    Example: ecom-data check data/demo
    """
    from converters.sources.google_taxonomy import load
    from converters.text.lengths import ruler

    if sequence_len and not tokenizer:
        raise InputError("--sequence-len: found no --tokenizer, expected one to count tokens with")
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
    raise InputError(f"{path}: {kinds.total():,} finding{'s' if kinds.total() > 1 else ''}{copy}")


def _fix(path: Path, paths: list[Path], rules: checking.Rules) -> str:
    from converters.validation import fix

    out = fix.beside(path)
    found = fix.fix(path, paths, out, rules, progress("rows"))
    for what, counts in (("mended", found.mended), ("left out", found.left_out)):
        for kind, count in counts.most_common():
            click.echo(f"  {what} {count:,}: {kind}", err=True)
    return f"{found.written:,} of {found.read:,} rows are in {out}, a corrected copy"


@main.command("join-mave")
@click.option(
    "--labels", "labels", required=True, multiple=True, type=FilePath, help="MAVE's labels (several: repeat)."
)
@click.option("--metadata", required=True, multiple=True, type=FilePath, help="All_Amazon_Meta.json, plain or gzipped.")
@click.option("--out", required=True, type=FilePath, help="The joined JSONL file; its manifest goes beside it.")
@WORKERS
def join_mave(labels: tuple[Path, ...], metadata: tuple[Path, ...], out: Path, workers: int) -> None:
    """Join MAVE's labels with the cleaned product text of Amazon Review Data 2018.

    Example: ecom-data join-mave --labels mave_positives_labels.jsonl --metadata All_Amazon_Meta.json.gz --out joined.jsonl
    """
    from converters.sources.mave import join as joining

    counts = joining.join(labels, metadata, out, workers, progress("raw rows"))
    accounts = {
        side: joining.account(counts[side], paths) for side, paths in (("labels", labels), ("metadata", metadata))
    }
    write_json(out.with_name(out.name + ".manifest.json"), accounts)
    for side, account in accounts.items():
        _tell({"source": side, "dropped": {}} | account)
    click.echo(f"{accounts['labels']['used']:,} records in {out}")


@main.command("demo-raw", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1)
def demo_raw(words: tuple[str, ...]) -> None:
    """Say the command's new name, for one release."""
    raise InputError(f"ecom-data demo-raw is now: ecom-train {' '.join(('demo-raw', *words))}")


def _tell(account: dict[str, Any]) -> None:
    rejected = sum(account["rejected"].values())
    click.echo(
        f"{account['source']}: read {_many(account['read'], 'raw row')}, used {account['used']:,}, rejected {rejected:,}"
    )
    for kind, unit in UNITS.items():
        for reason, count in Counter(account[kind]).most_common():
            click.echo(f"  {kind} {_many(count, unit)}: {mended(reason)}")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _unused(account: dict[str, Any], path: Path) -> str:
    count = account["read"] - account["used"]
    return f"{_many(count, 'raw row')} that {'was' if count == 1 else 'were'} not used {'is' if count == 1 else 'are'} in {path}"


if __name__ == "__main__":
    main()
