"""Answers from a shop's own texts: ask."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import FloatRange, IntRange

from converters.core.errors import InputError, not_a_file
from eval.cli.answering import BACKEND, BATCH, CONCURRENCY, LONGEST, RETRIES, TIMEOUT, URL
from eval.cli.group import PATH, bar, main

if TYPE_CHECKING:
    from converters.schema import Row
    from eval.inference.backends.base import Plan
    from eval.production.asking.answering import Answered, Ask, Settings
    from eval.production.asking.graph.queries import Graph
    from eval.production.asking.store import Store
    from eval.production.asking.training import Context


@main.command()
@click.option("--run", "name", required=True, help="The trained run: its name under runs, or its folder.")
@click.option("--catalog", type=PATH, help="The shop's catalogue: any file that ecom-data convert catalog reads.")
@click.option(
    "--option", "given", multiple=True, metavar="KEY=VALUE", help="Of the catalogue, as ecom-data has it: title=name."
)
@click.option(
    "--reviews", type=PATH, help="Reviews with product, text and, if they have one, id: JSONL, CSV or Parquet."
)
@click.option("--index", type=PATH, help="Folder of the index.  [default: the catalogue's name with .index]")
@click.option("--rebuild", is_flag=True, help="Build the index again.")
@click.option("--questions", type=PATH, help="JSONL with question and, if known, product and id.")
@click.option(
    "--out",
    type=PATH,
    help="The answers, .jsonl; a record of the same name, .json. Of --measure: .json, and a page, .html.",
)
@click.option("--question", help="One question. Without it and --questions, questions are asked for.")
@click.option("--product", help="The product that the question is about, by its id.")
@click.option(
    "--measure", is_flag=True, help="Measure retrieval and guardrails: --questions is a mixture's test.jsonl."
)
@click.option("--snippets", type=IntRange(1), help="How many to show at most.  [default: as in training]")
@click.option("--products", default=3, type=IntRange(1), help="Products to look at where none is named.")
@click.option(
    "--floor", type=FloatRange(0, 1, max_open=True), help="Ask only if snippets share more of a question's words."
)
@click.option("--encoder", help="Sentence encoder to rank by, too: a folder or a name on the hub.")
@click.option(
    "--vectors",
    type=click.Choice(["file", "chroma"]),
    default="file",
    show_default=True,
    help="Where the encoder's vectors are kept: a file, or Chroma (pip install chromadb).",
)
@click.option(
    "--graph", is_flag=True, help="Show facts on related products, too: brand, model, accessories, successors."
)
@click.option(
    "--relation", "relations", multiple=True, metavar="RELATION=COLUMN", help="A relation's column: accessory_of=fits."
)
@click.option("--hops", type=IntRange(1, 2), help="How far from a product facts may be.  [default: 1]")
@click.option("--neo4j", help="Keep the graph on this Neo4j server, neo4j://HOST:7687, in place of a file.")
@BACKEND
@LONGEST
@BATCH
@URL
@click.option("--model", help="The model's name at the endpoint.  [default: the checkpoint]")
@CONCURRENCY
@TIMEOUT
@RETRIES
@click.pass_context
def ask(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Answer questions from a shop's own texts, each with the snippets that it rests on.

    The catalogue and the reviews are indexed once, into one folder. The prompt and the budget are those of training. What the
    texts do not say is answered by the abstention. With --graph, what the catalogue says of related products stands among the
    snippets. Run an interrupted command again to resume it.

    Example: ecom-eval ask --run demo-qlora --catalog shop.csv --reviews reviews.jsonl --questions q.jsonl --out answers.jsonl
    """
    from eval.inference import checkpoint as checkpoints
    from eval.inference import predict
    from eval.production.asking import answering, training
    from eval.results import record

    _check(options)
    _check_storage(options)
    named = {key for key in options if ctx.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE}
    predict.check(options["backend"], named)
    run = record.folder_of(name)
    checkpoint = str(run / checkpoints.MERGED)
    if options["backend"] != "openai":
        checkpoints.require(checkpoint)
    context = training.context_of(run, options["snippets"], options["encoder"])
    for remark in context.remarks:
        click.echo(f"note: {remark}", err=True)
    if options["measure"]:
        _measure(checkpoint, context, options)
        return
    store = store_of(options)
    settings = answering.Settings(options["floor"], options["products"], _graph(ctx, store, options))
    if options["questions"]:
        _file(checkpoint, store, context, settings, options)
    else:
        _terminal(checkpoint, store, context, settings, options)


def _check(options: Mapping[str, Any]) -> None:
    """Refuse options that do not go together."""
    if options["measure"] and not options["questions"]:
        raise InputError("--measure needs --questions: rows with known answers, such as a mixture's test.jsonl")
    if options["measure"] and options["catalog"]:
        raise InputError("--measure takes no --catalog: it retrieves from the snippets of the rows and from --reviews")
    if not (options["measure"] or options["catalog"]):
        raise InputError("--catalog is missing: name the file of the shop's products")
    if options["questions"] and options["question"]:
        raise InputError("--questions and --question: give one of them")
    if options["questions"] and options["product"]:
        raise InputError("--product is for --question; a file names the product in each line")
    if options["questions"] and not options["measure"] and not options["out"]:
        raise InputError("--questions needs --out: name the file of the answers, such as answers.jsonl")
    ending = ".json" if options["measure"] else ".jsonl"
    if options["out"] and options["out"].suffix != ending:
        raise InputError(f"--out {options['out']}: expected the ending {ending}")


def _check_storage(options: Mapping[str, Any]) -> None:
    """Refuse options of a graph or of Chroma without what they are for."""
    if options["vectors"] == "chroma" and not options["encoder"]:
        raise InputError("--vectors chroma keeps an encoder's vectors: name one with --encoder")
    if not options["graph"] and any(options[name] for name in ("relations", "hops", "neo4j")):
        raise InputError("--relation, --hops and --neo4j are for --graph")


def store_of(options: Mapping[str, Any]) -> "Store":
    """Return the index, built if there is none; one that was built from something else is an ``InputError``."""
    from eval.production.asking import store, texts
    from eval.production.asking.indexing import index

    catalog, reviews = options["catalog"], options["reviews"]
    folder, given, tell = _folder(options), texts.options(options["given"]), partial(click.echo, err=True)
    index(folder, catalog, reviews, given, options["encoder"], options["rebuild"], tell, options.get("vectors", "file"))
    return store.opened(folder)


def _folder(options: Mapping[str, Any]) -> Path:
    catalog: Path = options["catalog"]
    folder: Path | None = options["index"]
    return folder or catalog.with_name(f"{catalog.name}.index")


def _graph(ctx: click.Context, store: "Store", options: Mapping[str, Any]) -> "Graph | None":
    """Return the graph, built if there is none, and open until the command ends; none unless it is asked for."""
    if not options["graph"]:
        return None
    from eval.production.asking.graph import opening, relations

    place = options["neo4j"] or _folder(options) / opening.FILE
    columns, tell = relations.named(options["relations"]), partial(click.echo, err=True)
    opening.ready(place, options["catalog"], store.record, columns, options["rebuild"], tell)
    return ctx.with_resource(opening.opened(place, options["hops"] or 1))


def _asking(checkpoint: str, options: Mapping[str, Any], out: Path) -> "Ask":
    """Return what asks the model for the answers to rows, and goes on where an earlier command was stopped."""
    from eval.production.asking import answering

    plan, work = partial(_plan, checkpoint, options), answering.work_folder(out)

    def ask(rows: Sequence["Row"]) -> tuple[Mapping[str, str | None], Mapping[str, Any]]:
        click.echo(f"loading {checkpoint}", err=True)
        with bar("prompts") as progress:
            return answering.ask_all(options["backend"], checkpoint, rows, plan, work, progress, time.monotonic)

    return ask


def _plan(checkpoint: str, options: Mapping[str, Any], sha256: str) -> "Plan":
    from eval.inference.backends.base import Endpoint, Plan

    url, network = options["base_url"], {name: options[name] for name in ("concurrency", "timeout", "retries")}
    endpoint = Endpoint(url, options["model"] or checkpoint, **network) if url else None
    return Plan(sha256, options["max_new_tokens"], batch_size=options["batch_size"], endpoint=endpoint)


def _file(
    checkpoint: str, store: "Store", context: "Context", settings: "Settings", options: Mapping[str, Any]
) -> None:
    """Answer a file of questions."""
    from eval.production.asking import answering, questions

    asked, rejected = questions.read(options["questions"], store)
    for outcome in rejected:
        detail = f" ({outcome.detail[:60]!r})" if outcome.detail else ""
        click.echo(f"{outcome.where}: {outcome.reason}{detail}", err=True)
    out = options["out"]
    lines, made = answering.answered(store, context, asked, settings, _asking(checkpoint, options, out))
    account = answering.write(out, options["questions"], lines, rejected, made)
    click.echo(
        f"{account['read']:,} lines read: {account['answered']:,} answered, {len(rejected):,} rejected; {account['abstained']:,} "
        f"abstentions, {account['withheld']:,} of them answers that were withheld"
    )
    click.echo(f"answers: {out}")


def _terminal(
    checkpoint: str, store: "Store", context: "Context", settings: "Settings", options: Mapping[str, Any]
) -> None:
    """Answer one question, or one after another until an empty one."""
    from eval.production.asking import answering
    from eval.production.asking.questions import Asked, worded

    product, typed = options["product"], options["question"]
    questions = _prompted() if typed is None else iter([worded(typed)])
    if product is not None and product not in store:
        raise InputError(f"--product {product!r}: the catalogue has no such product")
    click.echo(f"loading {checkpoint}", err=True)
    model = answering.asker(options["backend"], checkpoint, _plan(checkpoint, options, ""))
    for question in questions:
        prepared = answering.prepare(store, context, Asked("1", question, product), settings)
        click.echo(_shown(answering.finish(prepared, model(prepared.row) if prepared.row else None)))


def _prompted() -> Iterator[str]:
    """Yield the questions that are typed, until an empty line or the end of input."""
    from eval.production.asking.questions import worded

    while True:
        try:
            question = click.prompt("question", default="", show_default=False, err=True)
        except click.Abort:
            return
        if not question.strip():
            return
        try:
            asked = worded(question)
        except InputError as error:
            click.echo(str(error), err=True)
            continue
        yield asked


def _shown(line: "Answered") -> str:
    """Return an answer with its snippets and what the guardrails did, for a terminal."""
    lines = [line.answer]
    for cited in line.cited:
        date = f", as of {cited.date}" if cited.date else ""
        source = cited.source if cited.kind != "review" else f"review {cited.source}"
        lines.append(f"  [{cited.number}] {cited.text}  ({cited.product}, {source}{date})")
    lines += [f"  {decision.guardrail}: {decision.action}: {decision.reason}" for decision in line.guardrails]
    return "\n".join([*lines, f"  withheld: {line.withheld}"] if line.withheld else lines)


def _measure(checkpoint: str, context: "Context", options: Mapping[str, Any]) -> None:
    """Measure answers and guardrails on rows with known answers."""
    from converters import examples
    from converters.io import jsonl
    from eval.production.asking import answering
    from eval.production.asking.measuring import evidence, measure
    from eval.report import asking_page

    reviews = options["reviews"]
    if reviews and not reviews.is_file():
        raise not_a_file(reviews)
    rows = evidence.with_snippets(examples.read_rows(options["questions"]))
    out = options["out"] or Path(checkpoint).with_name("guardrails.json")
    ask, made = _asking(checkpoint, options, out), dict[str, Any]()

    def said(rows: Sequence["Row"]) -> Mapping[str, str | None]:
        answers, record = ask(rows)
        made.update(record)
        return answers

    with tempfile.TemporaryDirectory(prefix="ask.") as place:
        retrieve = evidence.retriever(rows, reviews, context, Path(place) / "index")
        found = measure.measured(rows, said, retrieve, options["floor"])
    files = {"data": options["questions"]} | ({"reviews": reviews} if reviews else {})
    origin = {name: str(path) for name, path in files.items()}
    origin |= {f"{name}_sha256": jsonl.sha256(path) for name, path in files.items()}
    jsonl.write_json(out, {**found, **origin, "training": context.settings, "model": made})
    page = asking_page.write(out, found, {"checkpoint": checkpoint, **origin, **context.settings})
    answering.clear(out)
    click.echo(f"{asking_page.table(found)}\n\nmeasured: {out}\nreport: {page}")
