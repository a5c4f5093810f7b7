"""``--scorer ecellm-compat``: what eCeLLM's published script would give, beside what our metrics give on the same rows.

To place a run beside the paper (Peng et al., ICML 2024, arXiv:2402.08831), not to judge it. The script is ``evaluate.py`` of
https://github.com/ninglab/eCeLLM; its definitions are written anew here. Answers are first put in the form that the paper's
models answer in (an option's letter, candidates' letters), so that only the scoring differs. Its flaws, by task:

* all choices and yes/no: an unreadable answer leaves the denominator, so saying less can only raise the score;
* ``Multiclass_Product_Classification``, ``Sentiment_Analysis``, ``Product_Relation_Prediction``: the first letter decides, so
  "Excellent" is option E; the macro average is over the labels left in gold and answers, so it changes with the answers;
* ``Sequential_Recommendation``: accuracy of the readable answers, called recall@1;
* yes/no tasks: F1 of "yes" alone, which always-yes makes high where most answers are yes;
* ``Query_Product_Rank``: the ideal is the best order of what the answer itself names, so naming one product alone is perfect;
  a product that is named again gains again; a letter after a space is dropped; gains are ``2 ** gain - 1``;
* ``Attribute_Value_Extraction``: every pair of a label and an equal prediction is a hit, so a repeated prediction makes recall
  exceed 1; a rightly empty attribute is a hit like any other; out of domain (``f1_substring``) a value that is part of the
  other one is a hit. Before its last version the script never counted predictions and divided by 0.000001;
* ``Answer_Generation``: BERTScore (by roberta-large there) against the one target, abstentions and further references unknown.

Left out: the comparison of a value's source field (our answers have none), and BLEURT (no kept package has it). An empty answer
stops the script; here it is dropped like other unreadable ones. That the paper samples at test time is beyond a scorer.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec import structs

from converters import tasks
from converters.schema import Row
from converters.tasks.choice import letter
from eval import metrics
from eval.metrics import generation
from eval.metrics.base import Example, Tools
from eval.results.schema import Both, Output, Published, TaskScores
from eval.scoring import parse, stats

SCORER = "ecellm-compat"
LETTERS = "ABCDE"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An example and its answer word for word, as the script sees it; what is no text is an empty one."""

    example: Example
    text: str


Measures = tuple[dict[str, float | None], int]  # by name, and how many answers the script drops


def scores(pairs: Iterable[tuple[Row, Output]], tools: Tools) -> dict[str, dict[str, Published]]:
    """Return, for each of our tasks that ECInstruct has rows for, its tasks by name.

    Rows of other sources are scored by the rule for their kind of task, under a name that says so.
    """
    parts: dict[str, dict[str, list[RawAnswer]]] = {}
    for row, given in pairs:
        if tasks.get(row.task).kind in RULES:
            text = given.prediction if isinstance(given.prediction, str) else ""
            answer = RawAnswer(parse.example(row, given, with_prompt=False), text)
            parts.setdefault(row.task, {}).setdefault(_part(row, answer.example), []).append(answer)
    return {
        task: {part: _published(task, part, answers, tools) for part, answers in of_task.items()}
        for task, of_task in parts.items()
    }


def _part(row: Row, example: Example) -> str:
    if row.source == "ecinstruct" and row.id.count(":") >= 3:
        return row.id.split(":")[2]
    task = tasks.get(row.task)
    form = RULES[task.kind][1]
    if len(example.extra.get("options", ())) > len(LETTERS):
        form = "Sequential_Recommendation"
    if task.kind == "verdict" and task.prefix == "[QA]":
        form = "Answerability_Prediction"
    return f"{row.source}, as {form}"


def _published(task: str, part: str, answers: Sequence[RawAnswer], tools: Tools) -> Published:
    rule = _next if part.endswith("Sequential_Recommendation") else RULES[tasks.get(task).kind][0]
    theirs, dropped = rule(answers, tools)
    ours = {name: _ours(name, [answer.example for answer in answers], tools) for name in theirs}
    return Published(len(answers), dropped, {name: Both(value, ours[name]) for name, value in theirs.items()})


def _ours(name: str, examples: Sequence[Example], tools: Tools) -> float | None:
    if name == "f1_yes":
        return _f1_yes([(e.gold, e.answer) for e in examples])
    metric = metrics.get(_OURS.get(name, name))
    value = math.nan if metric.missing(examples, tools) else stats.value(metric.table(examples, tools), metric)
    return None if math.isnan(value) else value


_OURS = {"recall_at_1_of_options": "accuracy", "f1": "micro_f1", "f1_substring": "micro_f1"}
_OURS |= {"precision": "micro_precision", "recall": "micro_recall"}


def lettered(answer: RawAnswer) -> str:
    """Return an answer as the paper's models write it: the letter of the option it names, else its text.

    >>> options, texts = {"options": ["Exact", "Substitute"]}, ((None, "Best"), ("Substitute", "b."))
    >>> [lettered(RawAnswer(Example("1", "g", "Exact", predicted, options), text)) for predicted, text in texts]
    ['Best', 'B']
    """
    predicted, options = answer.example.answer, answer.example.extra["options"]
    return letter(options.index(predicted)) if predicted in options else answer.text.strip()


def _gold(answer: RawAnswer) -> str:
    return letter(answer.example.extra["options"].index(answer.example.gold))


def _choice(answers: Sequence[RawAnswer], tools: Tools) -> Measures:
    pairs = [(_gold(answer), lettered(answer)[:1]) for answer in answers]
    readable = [(gold, predicted) for gold, predicted in pairs if predicted and predicted in LETTERS]
    # Those in gold or answers, in their order: the last digit of a sum depends on it.
    labels = sorted({label for pair in readable for label in pair})
    macro_f1 = sum(_f1(readable, label) for label in labels) / len(labels) if labels else None
    return {"accuracy": _accuracy(readable), "macro_f1": macro_f1}, len(pairs) - len(readable)


def _next(answers: Sequence[RawAnswer], tools: Tools) -> Measures:
    names = {letter(number) for number in range(20)}
    readable = [(_gold(answer), predicted) for answer in answers if (predicted := lettered(answer)) in names]
    return {"recall_at_1_of_options": _accuracy(readable)}, len(answers) - len(readable)


def _accuracy(pairs: Sequence[tuple[Any, Any]]) -> float | None:
    return sum(gold == predicted for gold, predicted in pairs) / len(pairs) if pairs else None


def _f1(pairs: Sequence[tuple[Any, Any]], label: Any) -> float:
    right = sum(gold == predicted == label for gold, predicted in pairs)
    return float(2 * right / sum((gold == label) + (predicted == label) for gold, predicted in pairs))


def _f1_yes(pairs: Sequence[tuple[Any, Any]]) -> float | None:
    """Return F1 of yes; 0 where nobody says it, as in the script."""
    return (_f1(pairs, True) if any(True in pair for pair in pairs) else 0.0) if pairs else None


def _yes_no(answers: Sequence[RawAnswer], tools: Tools) -> Measures:
    words = {"yes": True, "no": False}
    readable = [(a.example.gold, words[predicted]) for a in answers if (predicted := a.text.strip().lower()) in words]
    return {"f1_yes": _f1_yes(readable), "accuracy": _accuracy(readable)}, len(answers) - len(readable)


def _ranking(answers: Sequence[RawAnswer], tools: Tools) -> Measures:
    values, dropped = [], 0
    for answer in answers:
        gains = dict(zip(map(letter, range(26)), answer.example.extra["gains"], strict=False))
        predicted = [gains.get(name[:1]) for name in map(_candidate, answer.text.strip().split(","))]
        named = [gain for gain in predicted if gain is not None]
        values.append(_dcg(named) / (_dcg(sorted(named, reverse=True)) + 1e-6))
        dropped += len(predicted) - len(named)
    return {"ndcg": sum(values) / len(values)}, dropped


def _candidate(piece: str) -> str:
    """Return a candidate's letter where our models write its number; what has a letter is left as it is, space and all."""
    number = piece.strip()
    return letter(int(number) - 1) if number.isascii() and number.isdigit() and 0 < int(number[:3]) <= 26 else piece


def _dcg(gains: Sequence[float]) -> float:
    return float(sum((2**gain - 1) / math.log2(rank + 1) for rank, gain in enumerate(gains, 1)))


def _attributes(answers: Sequence[RawAnswer], tools: Tools) -> Measures:
    hits = parts = labels = predictions = dropped = 0
    for answer in answers:
        gold = [(key, value) for key, values in answer.example.gold.items() for value in (values or (None,))]
        predicted = _pairs(answer.text)
        pairs = [(a, b) for key, a in gold for name, b in predicted or () if key == name]
        hits += sum(a == b for a, b in pairs)
        parts += sum(a == b or (a is not None and b is not None and (a in b or b in a)) for a, b in pairs)
        labels, predictions, dropped = (
            labels + len(gold),
            predictions + len(predicted or ()),
            dropped + (predicted is None),
        )
    precision, recall = hits / (predictions + 1e-6), hits / labels
    loose = _harmonic(parts / (predictions + 1e-6), parts / labels)
    f1 = _harmonic(precision, recall)
    return {"f1": f1, "precision": precision, "recall": recall, "f1_substring": loose}, dropped


def _harmonic(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall + 1e-6)


def _pairs(text: str) -> list[tuple[str, str | None]] | None:
    """Return the attributes and values of a JSON object, repeated ones too; ``None`` if it is none.

    >>> _pairs('{"Color": ["red", "red"], "Size": null}'), _pairs("red")
    ([('Color', 'red'), ('Color', 'red'), ('Size', None)], None)
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    pairs = [(key, v) for key, value in record.items() for v in (value if isinstance(value, list) else [value])]
    return [(key, v if v is None or isinstance(v, str) else json.dumps(v)) for key, v in pairs]


def _answer(answers: Sequence[RawAnswer], tools: Tools) -> Measures:
    """Compare with the target alone; without BERTScore there is nothing that the script measures."""
    if tools.bert is None:
        return {}, 0
    golds = [generation.references(answer.example)[0] for answer in answers]
    values = tools.bert([answer.text for answer in answers], [[gold] for gold in golds])
    return {"bert_score_f1": float(np.mean(values))}, 0


# By kind of answer: how the script scores it, and the task of ECInstruct that has this form.
RULES: Mapping[str, tuple[Callable[[Sequence[RawAnswer], Tools], Measures], str]] = {
    "choice": (_choice, "Multiclass_Product_Classification"),
    "verdict": (_yes_no, "Product_Matching"),
    "order": (_ranking, "Query_Product_Rank"),
    "record": (_attributes, "Attribute_Value_Extraction"),
    "reply": (_answer, "Answer_Generation"),
}


def beside(tasks_: Mapping[str, TaskScores], published: Mapping[str, dict[str, Published]]) -> dict[str, TaskScores]:
    """Return the tasks' scores with eCeLLM's beside them."""
    return {task: structs.replace(scores, ecellm=published.get(task, {})) for task, scores in tasks_.items()}


def table(tasks_: Mapping[str, TaskScores]) -> str:
    """Return lines for a terminal that no one can take for our scores."""
    lines = ["", "As eCeLLM's published script scores (flawed; only to place a run beside its paper), and as we do:"]
    for part, published in (pair for scores in tasks_.values() for pair in scores.ecellm.items()):
        lines.append(f"  {part}: {published.n:,} rows, {published.dropped:,} answers dropped")
        for name, both in published.metrics.items():
            theirs, ours = ("none" if value is None else f"{value:.3f}" for value in (both.ecellm, both.ours))
            lines.append(f"    {name}: {theirs} there, {ours} here")
    return "\n".join(lines)
