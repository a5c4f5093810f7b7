"""Laws that every metric of every task obeys, over made-up gold and answers."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from converters import tasks
from converters.core.errors import InputError
from converters.tasks.answer import Reply
from converters.tasks.ranking import Order, by_gain
from eval import metrics
from eval.answers import kind_of
from eval.metrics import _normalise
from eval.metrics.base import Example, Floats, Metric, Tools
from eval.scoring import stats
from eval.scoring.score import best_floors, tables, trivial_answers, unavailable

WORDS = st.sampled_from(["red", "Red", "mug", "the", "1.5 L", "红", "🫖", "Acme!", "no"])
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
PATHS = st.lists(st.sampled_from("ABC"), min_size=1, max_size=3).map(tuple)
VALUES = st.lists(TEXTS, max_size=2, unique=True).map(tuple)
KEYS = ("Brand", "Color", "Size")
RECORDS = st.fixed_dictionaries(dict.fromkeys(KEYS, VALUES))
CITED = st.lists(st.integers(1, 4), max_size=3, unique=True).map(sorted).map(tuple)
REPLIES = st.one_of(st.just(Reply(None)), st.builds(Reply, TEXTS, CITED))
GOLD: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("category", "category_levels", "category_shortlist"), PATHS),
    "attributes": RECORDS,
    "answer": REPLIES,
    "answerable": st.booleans(),
    "general": TEXTS,
    "choice": TEXTS,
    "yes_no": st.booleans(),
    "ranking": st.none(),  # it follows from the gains below
}
GAINS = st.lists(st.sampled_from([1.0, 0.1, 0.01, 0.0]), min_size=1, max_size=5).map(tuple)
RANKS = st.lists(st.integers(1, 9), max_size=3, unique=True)
GIVEN = {
    "choice": st.lists(TEXTS, min_size=1, max_size=4, unique=True).flatmap(
        lambda options: st.sampled_from(options).map(lambda gold: (gold, {"options": options}))
    ),
    "ranking": GAINS.map(lambda gains: (by_gain(gains), {"gains": list(gains)})),
    "answer": st.tuples(
        REPLIES, st.builds(lambda r, t: {"relevant_ranks": r, "references": t}, RANKS, VALUES.map(list))
    ),
}
ORDERS = st.lists(st.integers(1, 9), min_size=1, max_size=7, unique=True).map(lambda found: Order(tuple(found)))
ANSWERS = {**GOLD, "ranking": ORDERS, "attributes": st.dictionaries(st.sampled_from([*KEYS, "Fit"]), VALUES)}
PROMPTS = st.lists(TEXTS, min_size=1, max_size=4).map(
    lambda texts: "\n".join(["Question: the red mug?", *(f"[{n}] {text}" for n, text in enumerate(texts, 1))])
)
MARKS = st.fixed_dictionaries(dict.fromkeys(("relevance", "grounded"), st.floats(0, 1)))
TASKS = [task for task in GOLD if not tasks.get(task).style_of]
NAMES = {task: tasks.get(task).metrics for task in TASKS}
PROXIES = {name for name in metrics.known() if name.endswith("_proxy")}
LAW = settings(max_examples=30, deadline=None)


def encode(texts: Any) -> Floats:
    """A sentence encoder small enough to be seen through: how often each of 64 classes of characters occurs."""
    found = np.zeros((len(texts), 64))
    for number, one in enumerate(texts):
        np.add.at(found[number], [ord(character) % 64 for character in one] or [0], 1)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def bert(answer: Any, references: Any) -> Floats:
    """A BERTScore F1 in the same way: the best cosine with a reference."""
    return np.array(
        [max(float((encode([s]) @ encode(list(r)).T).max()), 0) for s, r in zip(answer, references, strict=True)]
    )


def tools(normaliser: str = "strict") -> Tools:
    return Tools(_normalise.normaliser(normaliser), encode, bert)


@st.composite
def examples(draw: Any, task: str, answers: st.SearchStrategy[Any]) -> list[Example]:
    given = GIVEN.get(task, GOLD[task].map(lambda gold: (gold, {})))
    found = []
    for number in range(draw(st.integers(1, 6))):
        gold, extra = draw(given)
        others = draw(st.permutations([gold, ("A",), ("B",), ("C",), ("D",), ("E",)]))
        ranked = tuple(None if one in others[:place] else one for place, one in enumerate(others))
        found.append(
            Example(
                str(number),
                f"g{number // 2}",
                gold,
                draw(answers),
                extra,
                draw(PROMPTS),
                ranked,
                draw(MARKS),
                kind_of(task),
            )
        )
    return found


def perfect(example: Example) -> Example:
    """The best that can be answered, ranked, judged and retrieved."""
    extra = {**example.extra, "relevant_ranks": [1] if example.extra.get("relevant_ranks") else []}
    ranked = (example.gold, *(one for one in example.ranked if one not in (None, example.gold)), None, None)
    return replace(example, answer=example.gold, extra=extra, ranked=ranked, judged={"relevance": 1.0, "grounded": 1.0})


def unreadable(example: Example) -> Example:
    return replace(example, answer=None, ranked=(None,) * 6)


def value(name: str, found: list[Example], normaliser: str = "strict") -> float:
    metric = metrics.get(name)
    return stats.value(metric.table(found, tools(normaliser)), metric)


def values(task: str, found: list[Example], normaliser: str = "strict") -> dict[str, float]:
    made = tables(found, NAMES[task], tools(normaliser))
    return {name: stats.value(table, metrics.get(name)) for name, table in made.items()}


def law_over(
    task: str, *more: st.SearchStrategy[Any], answers: Any = None
) -> Callable[[Callable[..., None]], Callable[[], None]]:
    answer = st.one_of(st.none(), ANSWERS[task]) if answers is None else answers
    return lambda law: LAW(given(examples(task, answer), *more)(law))


def test_every_task_has_metrics_and_every_metric_is_some_tasks() -> None:
    assert set(GOLD) == set(tasks.names()), "a new task needs its laws here"
    assert len(metrics.known()) >= 30
    assert {name for task in tasks.names() for name in tasks.get(task).metrics} == set(metrics.known())
    assert {name for names in NAMES.values() for name in names} == set(metrics.known()), "a metric without laws"
    with pytest.raises(InputError, match="did you mean 'micro_f1'"):
        metrics.get("mikro_f1")


@pytest.mark.parametrize("task", TASKS)
def test_bounded_and_order_free_and_only_gold_decides_whether_it_applies(task: str) -> None:
    @law_over(task, st.sampled_from(list(_normalise.NORMALISERS)), st.randoms())
    def law(found: list[Example], normaliser: str, chance: random.Random) -> None:
        assert not unavailable(found, NAMES[task], tools(normaliser))
        score, best = (values(task, answer, normaliser) for answer in (found, [perfect(e) for e in found]))
        shuffled = values(task, chance.sample(found, len(found)), normaliser)
        for name in NAMES[task]:
            assert math.isnan(score[name]) == math.isnan(best[name]), name
            assert math.isnan(score[name]) or 0 <= score[name] <= 1, name
            assert math.isnan(score[name]) or name in PROXIES or best[name] == pytest.approx(1), name
            assert shuffled[name] == pytest.approx(score[name], nan_ok=True), name

    law()


@pytest.mark.parametrize("task", TASKS)
def test_an_unreadable_answer_never_helps(task: str) -> None:
    @law_over(task)
    def law(found: list[Example]) -> None:
        right, wrong = (values(task, [change(found[0]), *found[1:]]) for change in (perfect, unreadable))
        silent = values(task, [replace(found[0], answer={}), *found[1:]]) if task == "attributes" else wrong
        nothing = values(task, [unreadable(e) for e in found])
        for name in NAMES[task]:
            if not metrics.get(name).of_rows:
                assert not wrong[name] > right[name] + 1e-12 or name in PROXIES, name
                assert not wrong[name] > silent[name] + 1e-12, name
                assert not nothing[name] > 0, name

    law()


@pytest.mark.parametrize("name", [name for name in metrics.known() if metrics.get(name).of_rows])
def test_what_is_of_rows_takes_no_notice_of_answers(name: str) -> None:
    @law_over("answer")
    def law(found: list[Example]) -> None:
        assert value(name, [unreadable(e) for e in found]) == pytest.approx(value(name, found), nan_ok=True)
        assert not value(name, [perfect(e) for e in found]) < value(name, found)

    law()


def test_a_repeated_value_never_helps() -> None:
    @law_over("attributes", st.sampled_from([str.upper, str.lower, lambda v: v + "!"]), answers=ANSWERS["attributes"])
    def law(found: list[Example], vary: Any) -> None:
        repeated = [
            replace(e, answer={key: tuple(dict.fromkeys([*v, *map(vary, v)])) for key, v in e.answer.items()})
            for e in found
        ]
        once, twice = (values("attributes", answer, "mave") for answer in (found, repeated))
        assert all(not twice[name] > once[name] + 1e-12 for name in once), (once, twice)

    law()


def test_a_right_answer_said_twice_never_helps() -> None:
    @law_over("answer", answers=REPLIES)
    def law(found: list[Example]) -> None:
        right = [replace(e, answer=Reply(e.gold.text, e.answer.cited) if e.answer.text else e.answer) for e in found]
        twice = [
            replace(e, answer=Reply(e.answer.text and f"{e.answer.text} {e.answer.text}", e.answer.cited))
            for e in right
        ]
        once, again = values("answer", right), values("answer", twice)
        once.pop("answer_relevance_proxy")  # an encoder may well find the longer text nearer
        assert all(not again[name] > once[name] + 1e-12 for name in once), (once, again)

    law()


@pytest.mark.parametrize("depth", [3, 5])
def test_a_repeated_candidate_holds_its_rank(depth: int) -> None:
    @law_over("category", answers=PATHS)
    def law(found: list[Example]) -> None:
        assume(all(None not in e.ranked for e in found))
        repeated = [replace(e, ranked=(e.ranked[0], None, *e.ranked[1:])) for e in found]
        assert not value(f"top_{depth}_accuracy", repeated) > value(f"top_{depth}_accuracy", found)

    law()


@pytest.mark.parametrize("task", TASKS)
def test_resampling_a_table_is_resampling_the_examples(task: str) -> None:
    @law_over(task, st.randoms())
    def law(found: list[Example], chance: random.Random) -> None:
        times = [chance.randint(0, 3) for _ in found]
        drawn = [e for e, count in zip(found, times, strict=True) for _ in range(count)]
        if not drawn:
            return
        expected = values(task, drawn)
        for name, table in tables(found, NAMES[task], tools()).items():
            weighted = float(metrics.get(name).reduce(np.asarray(times, dtype=np.float64) @ table))
            assert weighted == pytest.approx(expected[name], nan_ok=True), name

    law()


@pytest.mark.parametrize("task", TASKS)
def test_floors_are_bounded_and_named(task: str) -> None:
    @law_over(task, answers=st.none())
    def law(found: list[Example]) -> None:
        applies = [name for name, one in values(task, found).items() if not math.isnan(one)]
        for least, by in best_floors(found, applies, tools()).values():
            assert by and 0 <= least <= 1

    law()


def test_a_metric_without_its_tool_or_its_file_says_so() -> None:
    bare = [Example("1", "g", ("A",), ("A",), {}, "Question: x?\n[1] y")]
    names = [name for name in metrics.known() if metrics.get(name).missing(bare, Tools(str))]
    assert {"top_3_accuracy", "top_5_accuracy", "answer_relevance", "groundedness"} <= set(names)
    found = unavailable(bare, names, Tools(str))
    assert list(found) == names and all(len(reason.split()) > 3 for reason in found.values())


def test_metrics_that_share_a_table_share_the_work() -> None:
    asked: list[str] = []

    def table(found: Any, given: Tools) -> Floats:
        asked.append("once")
        return np.ones((1, 2))

    known = {name: metrics.get(name) for name in ("micro_f1", "micro_precision")}
    assert known["micro_f1"].table is known["micro_precision"].table
    made = tables([Example("1", "g", {"a": ("x",)}, {})], tuple(known), tools())
    assert made["micro_f1"] is made["micro_precision"]
    assert isinstance(Metric(table, np.sum).table(None, tools()), np.ndarray) and asked == ["once"]


def test_trivial_answers_carry_no_candidates() -> None:
    found = [Example("1", "g", ("A",), ("A",), {}, "", (("A",), ("B",), ("C",)), kind=kind_of("category"))]
    assert all(not e.ranked for _, answer in trivial_answers(found) for e in answer)
