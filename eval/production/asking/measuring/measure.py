"""What answers are worth with and without retrieval, and what each guardrail gains and costs, on rows whose answer is known.

Each question is asked under all evidence of :data:`evidence.WAYS`, and once with an order planted in its own. Answers are read as
``ask`` reads them and scored by the metrics of ``ecom-eval score``, before the guardrails and after them, when what is withheld
is the abstention. Gain: of the wrong answers, the share that is withheld. Cost: of the right ones, the share that is withheld,
too. An answer is right from a token F1 of more than :data:`RIGHT` with a reference, if no number of it is in none, and wrong
where the target abstains. Where snippets are from is not known, and ``offers`` takes them all for reviews. A floor of 0 is
measured where none is given, and counts in none of the totals. Intervals are 95 %, over products.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from converters.schema import Row
from converters.tasks.answer import ABSTENTION, Reply
from converters.text.figures import unstated
from eval import metrics
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.metrics.generation import abstains, best_token_f1, references
from eval.production.asking.answering import read
from eval.production.asking.guardrails import WITHHOLDING, citations, orders, unanswerable
from eval.production.asking.measuring import evidence
from eval.production.asking.measuring.estimates import Column, among, difference, estimate, share, verdict
from eval.production.asking.snippets import Snippet
from eval.results.schema import Output
from eval.scoring.parse import example

RIGHT = 0.5
FLOOR = "unanswerable"  # the guardrail that abstains before a question is asked
SCORED = "rouge_l", "token_f1"
TOOLS = Tools(_normalise.normaliser("strict"))


@dataclass(frozen=True, slots=True)
class Judged:
    """A row's answer: whether one was given and is right, which guardrails withhold it, and what became of its citations.

    ``example`` has the answer before the guardrails. ``unasked``: the question is not above the floor.
    """

    example: Example
    given: bool
    right: bool
    withheld: frozenset[str]
    unasked: bool
    cited: int
    removed: int
    moved: bool

    @property
    def kept(self) -> bool:
        """Whether an answer is given after the guardrails."""
        return self.given and not self.withheld


def judged(row: Row, prediction: str | None, floor: float | None = None) -> Judged:
    """Return what a row's answer is worth and what each guardrail would do to it, each by itself."""
    question, texts = evidence.asked(row), evidence.texts_of(row)
    shown = [Snippet(row.group, text, "review", str(number)) for number, text in enumerate(texts, 1)]
    said = read(prediction)
    reply, removed = citations.existing(said or Reply(None), len(shown))
    moved = citations.moved(question, reply, shown)
    given = not abstains(reply)
    found = replace(example(row, Output(prediction)), answer=said and reply)
    right = given and best_token_f1(found) > RIGHT and not unstated(reply.text or "", references(found))
    against = {name for name, objection in WITHHOLDING.items() if given and objection(question, moved, shown)}
    unasked = given and bool(unanswerable.objection(question, texts, floor or 0.0))
    against |= {FLOOR} if unasked and floor is not None else set()
    made = len(said.cited if said else ())
    return Judged(found, given, right, frozenset(against), unasked, made, len(removed), moved is not reply)


def effect(found: Sequence[Judged], hit: Sequence[bool]) -> dict[str, Any]:
    """Return what it does to withhold the answers that are ``hit``: gain, cost, and what it adds to the answers' precision."""
    groups = [one.example.group for one in found]
    wrong = [(h, one.given and not one.right) for h, one in zip(hit, found, strict=True)]
    right = [(h, one.right) for h, one in zip(hit, found, strict=True)]
    before = among((one.right, one.given) for one in found)
    after = among((one.right, one.given and not h) for one, h in zip(found, hit, strict=True))
    gap = difference(after, before, groups)
    counts = {"wrong": sum(h and of for h, of in wrong), "right": sum(h and of for h, of in right)}
    costs = ", and withholds more right answers than wrong ones" if counts["right"] > counts["wrong"] else ""
    said = f"{verdict(gap)}{costs}" if any(hit) else "withholds nothing"
    return {
        "withheld": sum(hit),
        **counts,
        "gain": share(wrong, groups),
        "cost": share(right, groups),
        "precision": gap,
        "verdict": said,
    }


def scores(found: Sequence[Judged], after: bool) -> dict[str, Any]:
    """Return the answers' scores before the guardrails or ``after`` them."""
    examples = [replace(one.example, answer=Reply(None)) if after and not one.kept else one.example for one in found]
    return {name: estimate(_column(name, examples), [one.group for one in examples]) for name in SCORED}


def _column(name: str, examples: Sequence[Example]) -> Column:
    metric = metrics.get(name)
    return metric.table(examples, TOOLS), metric


def summary(found: Sequence[Judged]) -> dict[str, Any]:
    """Return the scores, each guardrail's effect, that of all together, and the precision of what is said before and after."""
    groups = [one.example.group for one in found]
    hits = {name: [name in one.withheld for one in found] for name in WITHHOLDING}
    hits |= {FLOOR: [one.unasked for one in found], "all": [bool(one.withheld) for one in found]}
    return {
        "rows": len(found),
        "before": scores(found, after=False),
        "after": scores(found, after=True),
        "guardrails": {name: effect(found, hits[name]) for name in (FLOOR, *WITHHOLDING, "all")},
        "citations": {
            "made": sum(one.cited for one in found),
            "removed": sum(one.removed for one in found),
            "moved": sum(one.moved for one in found),
        },
        "precision_before": share([(one.right, one.given) for one in found], groups),
        "precision_after": share([(one.right, one.kept) for one in found], groups),
        "answered_before": share([(one.given, True) for one in found], groups),
        "answered_after": share([(one.kept, True) for one in found], groups),
    }


Ask = Callable[[Sequence[Row]], Mapping[str, str | None]]
"""Rows to the model's answers by their ids."""


def measured(rows: Sequence[Row], ask: Ask, retrieve: evidence.Retrieve, floor: float | None = None) -> dict[str, Any]:
    """Return the measurement on rows of the answer task that show snippets: :func:`evidence.with_snippets`."""
    found_for = {row.id: retrieve(row) for row in rows}
    ways = {
        evidence.OWN: rows,
        evidence.CITED: [evidence.showing(row, evidence.CITED, evidence.cited(row)) for row in rows],
        evidence.RETRIEVED: [evidence.showing(row, evidence.RETRIEVED, found_for[row.id] or ()) for row in rows],
        evidence.NONE: [evidence.showing(row, evidence.NONE, ()) for row in rows],
        evidence.ELSEWHERE: evidence.elsewhere(rows),
    }
    ordered = [evidence.planted(row) for row in rows]
    unasked = {f"{id_}:{evidence.RETRIEVED}" for id_, texts in found_for.items() if texts is None}
    said = answers([row for of in (*ways.values(), ordered) for row in of if row.id not in unasked], ask)
    said |= dict.fromkeys(unasked, ABSTENTION)
    found = {way: [judged(row, said[row.id], floor) for row in of] for way, of in ways.items()}
    return {
        "right_above_token_f1": RIGHT,
        "ways": {way: summary(of) for way, of in found.items()},
        "retrieval": retrieval(found, rows, found_for),
        "abstention": abstention([*found[evidence.OWN], *found[evidence.ELSEWHERE]]),
        "elsewhere": not_asked(ways[evidence.ELSEWHERE], floor or 0.0),
        "orders": obedience(ordered, said, floor),
    }


def answers(rows: Sequence[Row], ask: Ask) -> dict[str, str | None]:
    """Return the answer to each row; rows with the same prompt are asked once."""
    first: dict[tuple[str, ...], Row] = {}
    of = {row.id: first.setdefault(tuple(turn.content for turn in row.messages[:-1]), row).id for row in rows}
    said = ask(list(first.values()))
    return {id_: said[asked] for id_, asked in of.items()}


def retrieval(
    found: Mapping[str, Sequence[Judged]], rows: Sequence[Row], shown: Mapping[str, Sequence[str] | None]
) -> dict[str, Any]:
    """Return how often retrieval finds what a target cites, and what its snippets add to ROUGE-L over the other evidence."""
    groups = [row.group for row in rows]
    cites = [
        (_finds(row, shown[row.id] or ()), bool(getattr(example(row, Output(None)).gold, "cited", ()))) for row in rows
    ]
    columns = {way: _column("rouge_l", [one.example for one in of]) for way, of in found.items()}
    others = (evidence.NONE, evidence.OWN, evidence.CITED)
    gaps = {f"over_{way}": difference(columns[evidence.RETRIEVED], columns[way], groups) for way in others}
    return {"finds_cited": share(cites, groups), **gaps, "verdict": verdict(gaps[f"over_{evidence.NONE}"])}


def _finds(row: Row, texts: Sequence[str]) -> bool:
    """Tell whether all that a row's target cites is among ``texts``, which may be cut."""
    return all(any(text and whole.startswith(text) for text in texts) for whole in evidence.cited(row))


def abstention(found: Sequence[Judged]) -> dict[str, Any]:
    """Return precision and recall of the abstention on the rows whose target abstains, before the guardrails and after."""
    groups = [one.example.group for one in found]
    none = [abstains(one.example.gold) for one in found]

    def of(silent: Sequence[bool]) -> dict[str, Any]:
        pairs = list(zip(silent, none, strict=True))
        return {"precision": share([(n, s) for s, n in pairs], groups), "recall": share(pairs, groups)}

    return {"before": of([not one.given for one in found]), "after": of([not one.kept for one in found])}


def not_asked(rows: Sequence[Row], floor: float) -> dict[str, Any]:
    """Return the share of questions that are not above a floor with the snippets that they are shown."""
    stopped = [(bool(unanswerable.objection(evidence.asked(row), evidence.texts_of(row), floor)), True) for row in rows]
    return share(stopped, [row.group for row in rows])


def obedience(rows: Sequence[Row], said: Mapping[str, str | None], floor: float | None = None) -> dict[str, Any]:
    """Return the share of rows with a planted order whose answer obeys it, before the guardrails and after."""
    groups = [row.group for row in rows]
    obeyed = [(orders.obeys(said[row.id] or ""), judged(row, said[row.id], floor).kept) for row in rows]
    return {
        "before": share([(obeys, True) for obeys, _ in obeyed], groups),
        "after": share([(obeys and kept, True) for obeys, kept in obeyed], groups),
    }
