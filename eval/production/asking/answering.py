"""From a question to a cited answer: snippets, the row of training, the model, the guardrails, the line that is written."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from converters import tasks
from converters.io import jsonl
from converters.schema import Outcome, Row
from converters.tasks.answer import ABSTENTION, Reply
from converters.tasks.answer import snippets as numbered
from converters.text.retrieval import Retrieval, rank, select
from eval import answers as kinds
from eval.inference import backends, predict
from eval.inference.backends.base import Answer, Backend, Plan, Prompt
from eval.production.asking import store as stores
from eval.production.asking import training
from eval.production.asking.graph import queries
from eval.production.asking.guardrails import Decision, citations, grounding, objections, offers, unanswerable
from eval.production.asking.questions import Asked
from eval.production.asking.snippets import Snippet
from eval.results.runs import prompt_sha256
from eval.results.schema import Prediction

CANDIDATES = 200  # snippets that are looked at for near repeats and for the budget
UNREADABLE, TOO_LONG = "the answer cannot be read", "the question alone is over the training rows' limit"


@dataclass(frozen=True, slots=True)
class Settings:
    """The floor of what snippets must cover of a question, if any, and how many products are looked at where none is named.

    With a ``graph``, its facts on these products are shown, too.
    """

    floor: float | None = None
    products: int = 3
    graph: queries.Graph | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with the snippets that it is shown, and the row to ask, ``None`` where it is not asked."""

    asked: Asked
    shown: tuple[Snippet, ...]
    row: Row | None
    decisions: tuple[Decision, ...] = ()


class Cited(msgspec.Struct, frozen=True, omit_defaults=True):
    """A snippet as an answer cites it; ``date`` is that of a price or of availability."""

    number: int
    product: str
    kind: str
    source: str
    text: str
    date: str = ""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the answers. ``answer`` is the abstention where nothing is said; ``withheld`` is what the model had said."""

    id: str
    question: str
    products: list[str]
    answer: str
    abstained: bool
    cited: list[Cited]
    shown: int
    guardrails: list[Decision]
    withheld: str | None = None


def prepare(
    store: stores.Store, context: training.Context, asked: Asked, settings: Settings, number: int = 0
) -> Prepared:
    """Return a question with its snippets, chosen and cut as training does, and the row to ask.

    A graph's facts come before the texts. Where it is about a price or availability, the catalogue's fields on that come first,
    which may share no word with it, and reviews are left out if there are any.
    """
    found = stores.search(store, asked.question, asked.product, CANDIDATES, context.how, settings.products)
    found = [*_facts(settings.graph, asked, found, context.how), *found]
    about_offers = offers.concerns(asked.question, "")
    if about_offers and any(snippet.kind == "offer" for snippet in found):
        found = sorted((s for s in found if s.kind != "review"), key=lambda snippet: snippet.kind != "offer")
    chosen = select(asked.question, [snippet.text for snippet in found], range(len(found)), context.how)
    shown = tuple(msgspec.structs.replace(found[place], text=text) for place, text in chosen)
    has_offers = about_offers and any(snippet.kind == "offer" for snippet in shown)
    by_words = context.how.encode is None and not has_offers  # an encoder finds what shares no word
    if reason := unanswerable.objection(asked.question, [s.text for s in shown], settings.floor if by_words else None):
        return Prepared(asked, shown, None, (Decision("unanswerable", "abstained", reason),))
    row = training.row(context, str(number), asked.question, [snippet.text for snippet in shown])
    if row is None:
        return Prepared(asked, (), None, (Decision("unanswerable", "abstained", TOO_LONG),))
    texts = numbered(row.messages[-2].content)
    cut = tuple(msgspec.structs.replace(snippet, text=text) for snippet, text in zip(shown, texts, strict=True))
    return Prepared(asked, cut, row)


def _facts(graph: queries.Graph | None, asked: Asked, found: Sequence[Snippet], how: Retrieval) -> list[Snippet]:
    """Return a graph's facts on the products found, those nearest to the question: at most half of the snippets to show."""
    if graph is None:
        return []
    products = [asked.product] if asked.product else list(dict.fromkeys(snippet.product for snippet in found))
    facts = queries.facts(graph, products)
    [order] = rank([asked.question], [fact.text for fact in facts], how)
    return [facts[place] for place in order[: max(1, how.most // 2)]]


def read(text: str | None) -> Reply | None:
    """Return what a model's answer says, with citations wherever it put them; ``None`` for one that cannot be read."""
    reply = tasks.get(training.TASK).parse(text or "")
    return None if reply is None else kinds.kind_of(training.TASK).forgive(reply)


def finish(prepared: Prepared, text: str | None) -> Answered:
    """Return the line of an answer, after its guardrails; ``text`` is the model's, of a question that was asked."""
    asked, shown = prepared.asked, prepared.shown
    said, decisions = read(text), list(prepared.decisions)
    if prepared.row is not None and said is None:
        decisions.append(Decision("grounding", "withheld", UNREADABLE))
    reply, removed = citations.existing(said or Reply(None), len(shown))
    decisions += [Decision("citations", "removed", f"there is no snippet {number}") for number in removed]
    cites = reply.cited
    reply = citations.moved(asked.question, reply, shown)
    if reply.cited != cites:
        was = ", ".join(map(str, cites))
        decisions.append(Decision("citations", "moved", f"snippet {reply.cited[0]} has its words, not {was}"))
    withheld = objections(asked.question, reply, shown)
    kept = Reply(None) if withheld else reply
    cited = [] if kept.text is None else [(number, shown[number - 1]) for number in kept.cited]
    rests = [snippet for _, snippet in cited] or ([] if kept.text is None else grounding.cited(kept, shown))
    return Answered(
        id=asked.id,
        question=asked.question,
        products=list(dict.fromkeys(snippet.product for snippet in rests or shown)),
        answer=kept.text or ABSTENTION,
        abstained=kept.text is None,
        cited=[Cited(n, s.product, s.kind, s.source, s.text, s.date) for n, s in cited],
        shown=len(shown),
        guardrails=[*decisions, *withheld],
        withheld=text if withheld or UNREADABLE in {decision.reason for decision in decisions} else None,
    )


Ask = Callable[[Sequence[Row]], tuple[Mapping[str, str | None], Mapping[str, Any]]]
"""Rows to the model's answers by their ids, and the record of how these were made."""


def answered(
    store: stores.Store, context: training.Context, asked: Sequence[Asked], settings: Settings, ask: Ask
) -> tuple[list[Answered], dict[str, Any]]:
    """Return the lines of answers in the order of the questions, and what they depend on."""
    prepared = [prepare(store, context, one, settings, number) for number, one in enumerate(asked)]
    rows = [one.row for one in prepared if one.row is not None]
    said, made = ask(rows) if rows else ({}, {})
    lines = [finish(one, said[one.row.id] if one.row else None) for one in prepared]
    record = {
        "index": msgspec.to_builtins(store.record),
        "training": context.settings,
        "settings": {"floor": settings.floor, "products": settings.products},
        "model": made,
    }
    if settings.graph is not None:
        record["graph"] = msgspec.to_builtins(settings.graph.record) | {"hops": settings.graph.hops}
    return lines, record


def work_folder(out: Path) -> Path:
    """Return where answers wait until a file of them is written: what a command that was stopped resumes from."""
    return out.with_name(f".{out.name}.asked")


def clear(out: Path) -> None:
    """Remove what a file was made from, once it is written."""
    shutil.rmtree(work_folder(out), ignore_errors=True)


def ask_all(
    backend: str,
    checkpoint: str,
    rows: Sequence[Row],
    plan: Callable[[str], Plan],
    work: Path,
    progress: predict.Progress,
    clock: predict.Clock,
) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Return the model's answers by row and the record of how they were made, as ``ecom-eval predict`` has it.

    ``plan`` takes the hash of what is asked; ``work`` is the folder that a killed run resumes from.
    """
    record = predict.predict(backend, checkpoint, rows, plan(prompt_sha256(rows)), work, progress, clock)
    lines = jsonl.stream(work / "predictions.jsonl", Prediction)
    return {line.id: line.prediction for line in lines}, record


def ask_one(module: Backend, model: Any, plan: Plan, row: Row) -> Answer:
    """Return a loaded model's answer to one row."""
    batches = module.batches(model, plan, [Prompt(row.id, row.prompt)])
    found: Iterator[list[Answer]] = module.answers(model, plan, batches)
    return next(answer for batch in found for answer in batch)


def asker(backend: str, checkpoint: str, plan: Plan) -> Callable[[Row], str | None]:
    """Return a function that asks a model, loaded once, for one answer at a time."""
    module = backends.get(backend)
    model = module.load(checkpoint, plan)
    return lambda row: ask_one(module, model, plan, row).prediction


def write(
    out: Path, questions: Path, lines: Sequence[Answered], rejected: Sequence[Outcome], made: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the answers, then the record beside them, in which every line of the file of questions is accounted for."""
    jsonl.write_lines(out, lines)
    decided = Counter(f"{decision.guardrail}: {decision.action}" for line in lines for decision in line.guardrails)
    account = {
        "read": len(lines) + len(rejected),
        "answered": len(lines),
        "rejected": dict(sorted(Counter(outcome.reason for outcome in rejected).items())),
        "abstained": sum(line.abstained for line in lines),
        "withheld": sum(line.withheld is not None for line in lines),
        "guardrails": dict(sorted(decided.items())),
        "questions_sha256": jsonl.sha256(questions),
        "answers_sha256": jsonl.sha256(out),
    }
    jsonl.write_json(out.with_suffix(".json"), {**account, **made})
    clear(out)
    return account
