"""Laws that every metric of every task obeys, over made-up gold and answers."""

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import tasks
from converters.errors import InputError
from converters.tasks.answer import Reply
from converters.tasks.ranking import Order, by_gain
from eval import metrics, stats, text
from eval.metrics.base import Example, Tools

WORDS = st.sampled_from(["red", "Red", "mug", "the", "1.5 L", "红", "🫖", "Acme!", "no"])
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
PATHS = st.lists(st.sampled_from("ABC"), min_size=1, max_size=3).map(tuple)
VALUES = st.lists(TEXTS, max_size=2, unique=True).map(tuple)
KEYS = ("Brand", "Color", "Size")
RECORDS = st.fixed_dictionaries(dict.fromkeys(KEYS, VALUES))
GOLD: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("category", "category_levels", "category_shortlist"), PATHS),
    "attributes": RECORDS,
    "answer": st.one_of(st.just(Reply(None)), TEXTS.map(Reply)),
    "general": TEXTS,
    "choice": TEXTS,
    "yes_no": st.booleans(),
    "answerable": st.booleans(),
    "ranking": st.none(),  # it follows from the gains below
}
GAINS = st.lists(st.sampled_from([1.0, 0.1, 0.01, 0.0]), min_size=1, max_size=5).map(tuple)
GIVEN = {"ranking": GAINS.map(lambda gains: (by_gain(gains), {"gains": list(gains)}))}
ORDERS = st.lists(st.integers(1, 9), min_size=1, max_size=7, unique=True).map(lambda found: Order(tuple(found)))
SAID = {**GOLD, "ranking": ORDERS, "attributes": st.dictionaries(st.sampled_from([*KEYS, "Fit"]), VALUES)}
CASES = [(task, name) for task in GOLD for name in tasks.get(task).metrics if not tasks.get(task).style_of]
LAW = settings(max_examples=40, deadline=None)


def examples(task: str, answers: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Example]]:
    given = GIVEN.get(task, GOLD[task].map(lambda gold: (gold, {})))
    return st.lists(st.tuples(given, answers), min_size=1, max_size=6).map(
        lambda found: [Example(str(i), f"g{i // 2}", *told(asked, said)) for i, (asked, said) in enumerate(found)]
    )


def told(asked: tuple[Any, dict[str, Any]], said: Any) -> tuple[Any, Any, dict[str, Any]]:
    gold, extra = asked
    return gold, said, extra


def value(name: str, found: list[Example], normaliser: str = "strict") -> float:
    metric = metrics.get(name)
    return stats.value(metric.table(found, Tools(text.normaliser(normaliser))), metric)


def test_every_task_has_metrics_and_each_name_resolves() -> None:
    assert set(GOLD) == set(tasks.names()), "a new task needs its laws here"
    for task in tasks.names():
        assert tasks.get(task).metrics
        for name in tasks.get(task).metrics:
            assert metrics.get(name).table
    with pytest.raises(InputError, match="did you mean 'micro_f1'"):
        metrics.get("mikro_f1")


@pytest.mark.parametrize(("task", "name"), CASES)
def test_bounded_and_order_free_and_only_gold_decides_whether_it_applies(task: str, name: str) -> None:
    @LAW
    @given(examples(task, st.one_of(st.none(), SAID[task])), st.sampled_from(list(text.NORMALISERS)), st.randoms())
    def law(found: list[Example], normaliser: str, chance: random.Random) -> None:
        score = value(name, found, normaliser)
        perfect = value(name, [replace(e, said=e.gold) for e in found], normaliser)
        assert math.isnan(score) == math.isnan(perfect)
        assert math.isnan(score) or (0 <= score <= 1 and perfect == pytest.approx(1))
        shuffled = chance.sample(found, len(found))
        assert value(name, shuffled, normaliser) == pytest.approx(score, nan_ok=True)

    law()


@pytest.mark.parametrize(("task", "name"), CASES)
def test_an_unreadable_answer_never_helps(task: str, name: str) -> None:
    @LAW
    @given(examples(task, st.one_of(st.none(), SAID[task])))
    def law(found: list[Example]) -> None:
        right, unreadable = ([replace(found[0], said=said), *found[1:]] for said in (found[0].gold, None))
        assert not value(name, unreadable) > value(name, right) + 1e-12
        assert not value(name, [replace(e, said=None) for e in found]) > 0
        if task == "attributes":
            silent = [replace(found[0], said={}), *found[1:]]
            assert not value(name, unreadable) > value(name, silent) + 1e-12

    law()


@pytest.mark.parametrize("name", tasks.get("attributes").metrics)
def test_a_repeated_value_never_helps(name: str) -> None:
    @LAW
    @given(examples("attributes", SAID["attributes"]), st.sampled_from([str.upper, str.lower, lambda v: v + "!"]))
    def law(found: list[Example], vary: Any) -> None:
        repeated = [
            replace(e, said={key: tuple(dict.fromkeys([*v, *map(vary, v)])) for key, v in e.said.items()})
            for e in found
        ]
        assert not value(name, repeated, "mave") > value(name, found, "mave") + 1e-12

    law()


@pytest.mark.parametrize(("task", "name"), CASES)
def test_resampling_a_table_is_resampling_the_examples(task: str, name: str) -> None:
    @LAW
    @given(examples(task, st.one_of(st.none(), SAID[task])), st.randoms())
    def law(found: list[Example], chance: random.Random) -> None:
        metric, times = metrics.get(name), [chance.randint(0, 3) for _ in found]
        drawn = [e for e, count in zip(found, times, strict=True) for _ in range(count)]
        if not drawn:
            return
        table = metric.table(found, Tools(text.strict))
        weighted = float(metric.reduce(np.asarray(times, dtype=np.float64) @ table))
        assert weighted == pytest.approx(value(name, drawn), nan_ok=True)

    law()
