"""Commands on finished runs: merge, verify, export, serve, push."""

import os
import shlex
import sys
from pathlib import Path

import click

from converters.core.errors import InputError
from recipes.runner.cli.group import FILE, RUN, main, progress


@main.command()
@RUN
@click.option("--format", "form", required=True, help="fp8, int8, awq or gguf.")
@click.option("--data", type=FILE, help="Test rows.  [default: the test split of the run's mixture]")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(1), help="Prompts at a time.")
@click.option(
    "--max-new-tokens", default=128, show_default=True, type=click.IntRange(1), help="Longest answer, in tokens."
)
@click.option("--converter", type=FILE, help="llama.cpp's convert_hf_to_gguf.py, for gguf.")
def export(
    run: str, form: str, data: Path | None, batch_size: int, max_new_tokens: int, converter: Path | None
) -> None:
    """Quantise a merged run and score both. The export and its scores are in runs/NAME/exports.

    Example: ecom-train export demo-qlora --format fp8
    """
    from recipes.runner.export import formats
    from recipes.runner.records import provenance
    from recipes.runner.records.layout import MERGED, folder

    where = folder(run)
    echo = progress(where / "logs")
    click.echo(f"exported: {formats.export(where, form, converter, echo)}")
    names = formats.scorable(where)
    rows = data or provenance.test_rows(where)
    formats.evaluate(where, (MERGED, *names), rows, batch_size, max_new_tokens, echo)
    lines = formats.table(where, names, formats.compare(where, names, echo))
    table = formats.save(where, names, lines)
    click.echo(f"\n{table.read_text('utf-8')}\nparity table: {table}")


@main.command(hidden=True)
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--format", "form", required=True, type=click.Choice(["fp8", "int8", "awq"]))
@click.option("--data", required=True, type=FILE, help="Rows to calibrate on: the training split.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the quantised checkpoint.")
def quantise(checkpoint: Path, form: str, data: Path, out: Path) -> None:
    """Quantise a checkpoint with llm-compressor. 'export' runs this in the environment that has it.

    Example: ecom-train quantise runs/demo-qlora/merged --format int8 --data data/demo/train.jsonl --out /tmp/int8
    """
    from importlib.util import find_spec

    from converters import examples
    from recipes.runner.export.quantise import quantise as quantising

    if not find_spec("llmcompressor"):
        raise InputError("llmcompressor is not installed here: 'ecom-train export' runs this where it is")
    quantising(checkpoint, form, examples.read_rows(data), out)


@main.command(hidden=True)
@click.argument("file", type=FILE)
@click.option("--tokenizer", required=True, type=click.Path(path_type=Path, exists=True), help="The merged checkpoint.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the checkpoint.")
def unpack(file: Path, tokenizer: Path, out: Path) -> None:
    """Write a GGUF file's weights as a checkpoint. 'export' runs this, so that the weights can be evaluated.

    Example: ecom-train unpack runs/mine/exports/gguf/model/mine.gguf --tokenizer runs/mine/merged --out /tmp/unpacked
    """
    from recipes.runner.export.quantise import unpack as unpacking

    unpacking(file, tokenizer, out)


@main.command()
@click.argument("run", nargs=-1, required=True)
@click.option(
    "--adapters", is_flag=True, help="Serve the adapter on its base, not the merged run; several runs always."
)
@click.option("--format", "form", help="Serve this export instead of the merged checkpoint: fp8, int8 or awq.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--print", "only_print", is_flag=True, help="Print the command and do not run it.")
def serve(run: tuple[str, ...], adapters: bool, form: str | None, host: str, port: int, only_print: bool) -> None:
    """Serve a merged run, or several runs' adapters on their one base, with vLLM.

    Prefix caching is on; the chat template is the one used in training. Each adapter answers by its run's name. The base that
    they are served on is made once, in runs/.bases: after QLoRA it is rounded as in training.

    Example: ecom-train serve demo-qlora --print
    """
    from recipes.runner.export import adapters as serving_adapters
    from recipes.runner.export import serve as serving
    from recipes.runner.records.layout import folder
    from recipes.runner.records.provenance import test_rows
    from recipes.runner.training.process import Progress

    runs = [folder(name) for name in run]
    if adapters or len(runs) > 1:
        if form:
            raise InputError(f"--format {form}: an export is of one merged run; adapters are served on their base")
        echo = Progress(sys.stderr, runs[0] / "logs" / "merge.log")  # the command alone is on the standard output
        words = serving_adapters.command(runs, host, port, echo)
        asks = [serving.parity(each, host, port) for each in runs]
    else:
        words = serving.command(runs[0], form, host, port)
        asks = [serving.smoke(runs[0], test_rows(runs[0]), host, port)]
    click.echo(shlex.join(words))
    for ask in asks:
        click.echo(f"a first request, once it serves: {shlex.join(ask)}", err=True)
    if only_print:
        return
    program = serving.program()
    if not program:
        hint = "'make setup-vllm' installs it in an environment of its own, here or on the machine that serves"
        raise InputError(f"vLLM is not installed here: {hint}; run the command above there")
    os.execv(program, words)


@main.command()
@RUN
@click.option("--gate-data", type=FILE, help="Held-out rows for the gate.  [default: the run's validation split]")
@click.option("--held", type=FILE, hidden=True)  # the old name, for one release
def merge(run: str, gate_data: Path | None, held: Path | None) -> None:
    """Merge a run's adapter into its base model. A merge that changes the answers is discarded.

    Example: ecom-train merge demo-qlora
    """
    from recipes.runner.records import provenance
    from recipes.runner.records.layout import folder
    from recipes.runner.training.merge import merge as merging

    if held:
        click.echo("--held is called --gate-data now; the old name goes with the next release", err=True)
    merged = merging(folder(run), progress(folder(run) / "logs" / "merge.log"), gate_data or held)
    gate = provenance.read(folder(run))["merge"]["gate"]["likeness"]
    click.echo(
        f"gate     {gate['tokens']} answer tokens of {gate['rows']} held-out rows: greedy agreement {gate['agreement']:.4f}, "
        f"cosine {gate['cosine']:.4f}, loss {gate['loss_adapter']:.4f} before and {gate['loss_merged']:.4f} after"
    )
    click.echo(f"merged: {merged}")


@main.command()
@RUN
def verify(run: str) -> None:
    """Check a run's hashes, from its raw files to its reports. The first broken link is named, with exit code 1.

    Example: ecom-train verify demo-qlora
    """
    from recipes.runner.records import verify as chain
    from recipes.runner.records.layout import folder

    states, where = [], folder(run)
    for link in chain.verify(where):
        states.append(link.state)
        click.echo(f"{link.state:<17}  {link.name}: {link.subject}")
        if link.state == chain.BROKEN:
            raise InputError(f"{where}: broken at '{link.name}': {link.subject} is not what the run was made from")
    gone = f"; {states.count(chain.GONE)} not here to check" if chain.GONE in states else ""
    click.echo(f"{where}: {states.count(chain.HOLDS)} of {len(states)} links hold, none is broken{gone}")


@main.command()
@RUN
@click.option("--to", "repository", required=True, metavar="OWNER/NAME", help="The repository; it is made if need be.")
@click.option("--merged/--adapter", default=True, show_default=True, help="Which model.")
@click.option("--private/--public", default=True, show_default=True, help="Who may see a repository that is made.")
@click.option("--licence", help="The model's licence for its card, an id of the hub's: apache-2.0, other.")
@click.option("--language", multiple=True, help="A language for its card: en. May be repeated.")
@click.option("--benchmark", multiple=True, metavar="TASK=OWNER/NAME:TASK_ID", help="As 'ecom-eval card' takes it.")
@click.option("--dry-run", is_flag=True, help="Only say what would be uploaded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def push(
    run: str,
    repository: str,
    merged: bool,
    private: bool,
    licence: str | None,
    language: tuple[str, ...],
    benchmark: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    """Upload a run's model with its card to the Hugging Face Hub, if the run verifies. It says what first, and asks.

    Example: ecom-train push demo-qlora --to owner/name --adapter --dry-run
    """
    from eval.report.hub import Told
    from recipes.runner.export import push as pushing
    from recipes.runner.records.layout import folder

    upload = pushing.plan(folder(run), repository, merged, Told(licence, language, benchmark))
    sizes = {name: path.stat().st_size for name, path in upload.files.items()}
    sizes |= {name: len(text.encode()) for name, text in upload.texts.items()}
    click.echo("\n".join(f"{size / 1e6:12,.3f} MB  {name}" for name, size in sizes.items()))
    click.echo(f"{sum(sizes.values()) / 1e6:12,.3f} MB  to {repository}, {'private' if private else 'PUBLIC'}")
    for name in upload.left:
        click.echo(f"stays here: {name}", err=True)
    for warning in () if merged else pushing.only_here(folder(run)):
        click.echo(f"warning: {warning}", err=True)
    if dry_run:
        return
    if not yes and not sys.stdin.isatty():
        raise InputError("nothing was uploaded: nobody is here to be asked; add --yes")
    if yes or click.confirm("upload it?"):
        click.echo(f"uploaded: {pushing.push(upload, private)}")
