"""Rows as columns: each distinct example once, and the same scores as with an example for each row."""

import dataclasses
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from converters.schema import Row
from eval import metrics
from eval.metrics.base import Example, Table, Tools
from eval.results.schema import Output, Settings
from eval.scoring import parse, score, stats
from eval.scoring.batch import Batch, by_name

ANSWERS = ("{}", "Home > Mugs", "Car", "yes", "1, 2", "", "?\n?", None, {"a": 1}, '{"Brand": "x", "Fit": ["a", "b"]}')


def batch(rows: Sequence[Row]) -> tuple[Batch, list[Example]]:
    """Return rows three times over, with answers in turn, as a batch and as an example each."""
    found, examples = Batch(), []
    for number, row in enumerate([*rows] * 3):
        output = Output(ANSWERS[number % len(ANSWERS)] if number % 3 else row.target)
        found.add(row.id, f"g{number // 2}", row.task, row.target, "", row.meta, output)
        examples.append(parse.example(msgspec.structs.replace(row, group=f"g{number // 2}"), output, False))
    return found, examples


@pytest.mark.parametrize("task", ["category", "choice", "yes_no", "attributes", "ranking", "general"])
def test_each_row_has_its_example_and_equal_ones_are_one(rows: list[Row], task: str) -> None:
    found, examples = batch([row for row in rows if row.task == task])
    for one, own in zip(found.rows(), examples, strict=True):
        assert (one.gold, one.answer, one.extra, one.kind) == (own.gold, own.answer, own.extra, own.kind)
    assert len({*found.places}) == len(found.distinct) < len(examples)
    assert np.asarray(found.groups).tolist() == stats.numbered([e.group for e in examples]).tolist()
    questions = [(found.distinct[found.firsts[n]].gold, found.distinct[found.firsts[n]].extra) for n in found.questions]
    assert questions == [(e.gold, e.extra) for e in found.distinct] and len(found.firsts) < len(found.distinct)
    assert by_name(found).tolist() == np.unique([e.group for e in examples], return_inverse=True)[1].tolist()


def test_unreadable_answers_that_differ_are_no_one_example(rows: list[Row]) -> None:
    found, row = Batch(), next(row for row in rows if row.task == "category")
    for prediction in ("> >", "", None, 5, "> >", None):
        found.add(row.id, "g", row.task, row.target, "", row.meta, Output(prediction))
    assert list(found.places) == [0, 1, 2, 3, 0, 2]


@pytest.mark.parametrize(("task", "name"), [("category", "weighted_f1"), ("category", "accuracy"),
                                            ("category", "hierarchical_f1_mean"), ("attributes", "attribute_macro_f1"),
                                            ("attributes", "micro_f1"), ("general", "rouge_l")])  # fmt: skip
def test_scores_are_those_of_a_line_for_each_row_to_the_last_bit(rows: list[Row], task: str, name: str) -> None:
    found, examples = batch([row for row in rows if row.task == task])
    metric, places = metrics.get(name), np.asarray(found.places)
    thin, whole = (metric.table(of, Tools(str)) for of in (found.distinct, examples))
    assert stats.value(thin, metric, places) == stats.value(whole, metric)
    names = [e.group for e in examples]
    (one,) = stats.bootstrap([(thin, metric)], np.asarray(found.groups), 50, places=[places])
    (other,) = stats.bootstrap([(whole, metric)], names, 50)
    assert np.array_equal(one.draws, other.draws) and np.array_equal(one.left_out, other.left_out)
    assert (one.units, one.groups, one.effective) == (other.units, other.groups, other.effective)


def test_runs_with_places_of_their_own_share_the_draws(rows: list[Row]) -> None:
    found, examples = batch([row for row in rows if row.task == "category"])
    metric, places = metrics.get("macro_f1"), np.asarray(found.places)
    tables: list[Table] = [metric.table(of, Tools(str)) for of in (found.distinct, examples)]
    at = [places, np.arange(len(examples))]
    one, other = stats.bootstrap([(t, metric) for t in tables], np.asarray(found.groups), 50, places=at)
    assert np.array_equal((one - other).draws, np.zeros(50))


@pytest.mark.parametrize("odd", [0, 900])
def test_two_readings_of_the_same_rows_score_together_as_they_do_alone(odd: int) -> None:
    found, names = Batch(), ("weighted_f1", "macro_f1_gold_and_said", "hierarchical_f1_mean")
    for number in range(1200):
        found.add(
            str(number), f"g{number // 2}", "category", f"A > B{number % 40} > {number}", "", "{}", Output("A > B7")
        )
    other = [(f"odd {n}",) if n < odd else e.gold for n, e in enumerate(found.distinct)]
    lenient = [dataclasses.replace(e, answer=answer) for e, answer in zip(found.distinct, other, strict=True)]
    readings = [score.tables(examples, names, Tools(str)) for examples in (found.distinct, lenient)]
    assert (len({max(t.shape[1] for t in tables.values()) for tables in readings}) > 1) is (odd > 600)
    settings, floors = Settings(resamples=150), dict.fromkeys(names, (0.0, "none"))
    together = score._scores(readings, floors, found, settings)
    assert together == [score._scores([tables], floors, found, settings)[0] for tables in readings]
