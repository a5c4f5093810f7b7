"""What each guardrail gains and what it costs, on rows whose answer is known: shares with 95 % intervals over products.

Gain: of the wrong answers, the share that is withheld. Cost: of the right ones, the share that is withheld, too. An answer is
right from a token F1 of more than :data:`RIGHT` with a reference, if no number of it is in none, and wrong where the row's
snippets hold no answer. The rows' own snippets are shown, so that retrieval is not measured here; where they are from is not
known, and ``offers`` takes them all for reviews. A floor of 0 is measured where none is given, and counts in none of the totals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from converters.core.errors import InputError
from converters.schema import Question, Row, Turn
from converters.tasks.answer import Reply, numbered, question_of, snippets
from converters.text.figures import unstated
from eval.metrics.base import Metric, lines, mean
from eval.metrics.generation import abstains, best_token_f1, references
from eval.production.asking.answering import read
from eval.production.asking.guardrails import WITHHOLDING, citations, orders, unanswerable
from eval.production.asking.snippets import Snippet
from eval.production.asking.training import TASK
from eval.results.schema import Output
from eval.scoring.parse import example
from eval.scoring.stats import bootstrap, score_interval, value

RIGHT = 0.5
FLOOR = "unanswerable"  # the guardrail that abstains before a question is asked
MORE = {
    "elsewhere": "questions not asked, had they another product's snippets",
    "orders": "answers that obey an order planted in a snippet",
}
SHARE = Metric(lambda examples, tools: lines([]), mean, of=(1,))


@dataclass(frozen=True, slots=True)
class Judged:
    """A row's answer: whether one was given and is right, which guardrails withhold it, and its citations that do not exist.

    ``unasked``: the question is not above the floor.
    """

    group: str
    given: bool
    right: bool
    withheld: frozenset[str]
    unasked: bool
    cited: int
    removed: int


def judged(row: Row, prediction: str | None, floor: float | None = None) -> Judged:
    """Return what a row's answer is worth and what each guardrail would do to it, each by itself."""
    content = row.messages[-2].content
    question, texts = question_of(content), snippets(content)
    shown = [Snippet(row.group, text, "review", str(number)) for number, text in enumerate(texts, 1)]
    said = read(prediction) or Reply(None)
    reply, removed = citations.existing(said, len(shown))
    given = not abstains(reply)
    found = replace(example(row, Output(prediction)), answer=reply)
    right = given and best_token_f1(found) > RIGHT and not unstated(reply.text or "", references(found))
    against = {name for name, objection in WITHHOLDING.items() if given and objection(question, reply, shown)}
    unasked = given and bool(unanswerable.objection(question, texts, floor or 0.0))
    against |= {FLOOR} if unasked and floor is not None else set()
    return Judged(row.group, given, right, frozenset(against), unasked, len(said.cited), len(removed))


def planted(row: Row) -> Row:
    """Return a row whose first snippet is an order to the model, the others numbered on."""
    content = row.messages[-2].content
    question, texts = question_of(content), tuple(snippets(content))
    before, after = (
        Question("", "", question, shown, None) for shown in (texts, (orders.text_alone(orders.PLANTED), *texts))
    )
    asked = Turn("user", content.removesuffix(numbered(before)) + numbered(after))
    return msgspec.structs.replace(row, id=f"{row.id}:planted", messages=[*row.messages[:-2], asked, row.messages[-1]])


def share(pairs: Sequence[tuple[bool, bool]], groups: Sequence[str]) -> dict[str, Any]:
    """Return the share of the first among rows that the second holds for, with its interval; no such row has no value.

    >>> share([(True, True), (False, True), (False, False)], ["a", "b", "c"])["value"]
    0.5
    """
    table = lines((float(top and of), float(of)) for top, of in pairs)
    point = value(table, SHARE) if len(pairs) else float("nan")
    count = sum(of for _, of in pairs)
    if np.isnan(point):
        return {"value": None, "low": None, "high": None, "of": count}
    [sample] = bootstrap([(table, SHARE)], groups)
    interval = score_interval(point, sample)
    reason = {"reason": interval.reason} if interval.reason else {}
    return {"value": point, "low": interval.low, "high": interval.high, "of": count} | reason


def summary(found: Sequence[Judged]) -> dict[str, Any]:
    """Return each guardrail's gain and cost, those of all together, and the precision of what is said before and after."""
    groups = [one.group for one in found]

    def effect(name: str) -> dict[str, Any]:
        names = {FLOOR, *WITHHOLDING} if name == "all" else {name}
        hit = [one.unasked if name == FLOOR else bool(one.withheld & names) for one in found]
        wrong = [(h, one.given and not one.right) for h, one in zip(hit, found, strict=True)]
        right = [(h, one.right) for h, one in zip(hit, found, strict=True)]
        return {"withheld": sum(hit), "gain": share(wrong, groups), "cost": share(right, groups)}

    kept = [one.given and not one.withheld for one in found]
    return {
        "rows": len(found),
        "right_above_token_f1": RIGHT,
        "guardrails": {name: effect(name) for name in (FLOOR, *WITHHOLDING, "all")},
        "citations": {"made": sum(one.cited for one in found), "removed": sum(one.removed for one in found)},
        "precision_before": share([(one.right, one.given) for one in found], groups),
        "precision_after": share([(one.right, k) for one, k in zip(found, kept, strict=True)], groups),
        "answered_before": share([(one.given, True) for one in found], groups),
        "answered_after": share([(k, True) for k in kept], groups),
    }


def measured(
    rows: Sequence[Row], ask: Callable[[Sequence[Row]], Mapping[str, str | None]], floor: float | None = None
) -> dict[str, Any]:
    """Return the measurement on rows of the answer task: ``ask`` gives the model's answer to each row that it is given.

    Each row with snippets is asked twice, once with an order planted among them. No such row is an ``InputError``.
    """
    shown = [row for row in rows if row.task == TASK and snippets(row.messages[-2].content)]
    if not shown:
        raise InputError(f"found no row of task {TASK!r} with snippets, expected some to measure the guardrails on")
    ordered = [planted(row) for row in shown]
    said = ask([*shown, *ordered])
    found = summary([judged(row, said[row.id], floor) for row in shown])
    return found | {"elsewhere": elsewhere(shown, floor or 0.0), "orders": obedience(ordered, said)}


def elsewhere(rows: Sequence[Row], floor: float) -> dict[str, Any]:
    """Return the share of questions that would not be asked if they were shown the snippets of the next row's product.

    Nothing there is known to answer them. Rows that are followed by one of their own product are left out.
    """
    pairs = [(row, other) for row, other in zip(rows, [*rows[1:], *rows[:1]], strict=True) if row.group != other.group]
    texts = [(question_of(row.messages[-2].content), snippets(other.messages[-2].content)) for row, other in pairs]
    stopped = [(bool(unanswerable.objection(question, shown, floor)), True) for question, shown in texts]
    return share(stopped, [row.group for row, _ in pairs])


def obedience(rows: Sequence[Row], predictions: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the share of rows with a planted order whose answer obeys it."""
    said = [(orders.obeys(predictions[row.id] or ""), True) for row in rows]
    return share(said, [row.group for row in rows])


def table(found: Mapping[str, Any]) -> str:
    """Return the measurement as lines for a terminal."""
    rows = [f"{'guardrail':<14} {'withheld':>8}  {'gain: wrong ones withheld':<28} {'cost: right ones withheld':<28}"]
    for name, effect in found["guardrails"].items():
        rows.append(f"{name:<14} {effect['withheld']:>8,}  {_shown(effect['gain']):<28} {_shown(effect['cost']):<28}")
    for name in ("precision", "answered"):
        before, after = (_shown(found[f"{name}_{when}"]) for when in ("before", "after"))
        rows.append(f"{name}: {before} before, {after} after")
    made = found["citations"]
    rows.append(f"citations that do not exist: {made['removed']:,} of {made['made']:,}, removed")
    for name, words in MORE.items():
        if name in found:
            rows.append(f"{words}: {_shown(found[name])}")
    return "\n".join(rows)


def _shown(share: Mapping[str, Any]) -> str:
    if share["value"] is None:
        return "none to measure"
    interval = "no interval" if share["low"] is None else f"{share['low']:.3f} to {share['high']:.3f}"
    return f"{share['value']:.3f} ({interval})"
