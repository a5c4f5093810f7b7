"""Text metrics against rouge-score and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from converters.tasks.answer import Reply
from eval import metrics
from eval.answers import get
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.scoring import stats
from eval.scoring.score import best_floors

THEIRS = RougeScorer(["rougeL"], use_stemmer=True)
TEXT = st.text("abx 1-.½’runnings", min_size=1, max_size=30).filter(str.strip)


def value(name: str, *examples: Example) -> float:
    return stats.value(metrics.get(name).table(examples, Tools(_normalise.strict)), metrics.get(name))


@settings(max_examples=80, deadline=None)
@given(TEXT, TEXT, TEXT)
def test_rouge_l_is_their_best_over_the_references(gold: str, more: str, answer: str) -> None:
    ours = value("rouge_l", Example("1", "g", Reply(gold), Reply(answer), {"references": [more]}))
    theirs = max(THEIRS.score(target, answer)["rougeL"].fmeasure for target in (gold, more))
    assert ours == (1.0 if answer in (gold, more) else pytest.approx(theirs))


def test_rouge_l_of_text_without_latin_letters() -> None:
    assert THEIRS.score("是的", "是的")["rougeL"].fmeasure == 0
    assert value("rouge_l", Example("1", "g", "是的", "是的")) == 1
    assert value("rouge_l", Example("1", "g", "是的", "不是")) == 0.5


def test_references_are_as_good_as_the_gold() -> None:
    extra = {"references": ["Yes."]}
    assert value("exact_match", Example("1", "g", Reply("It does."), Reply("Yes.", (2,)), extra)) == 1


NEAR = Reply("The snippets do say.")  # five words, four of the abstention's sentence
TEXT_METRICS = ("rouge_l", "token_f1", "exact_match", "bert_score_f1", "semantic_f1")


@pytest.mark.parametrize("name", TEXT_METRICS)
@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        (Reply(None), Reply(None), 1),
        (Reply(None), NEAR, 0),
        (NEAR, Reply(None), 0),
        (Reply(None), None, 0),
        (NEAR, NEAR, 1),
    ],
)
def test_an_abstention_is_worth_1_against_an_abstention_alone(
    name: str, gold: Reply, answer: Reply | None, expected: float
) -> None:
    extra = {"references": ["The snippets do not say anything."]}
    alike = Tools(
        _normalise.strict,
        lambda texts: np.ones((len(texts), 1)),
        lambda answers, references: np.full(len(answers), 0.9),
    )
    found = metrics.get(name).table([Example("1", "g", gold, answer, extra)], alike)
    assert stats.value(found, metrics.get(name)) == expected


@pytest.mark.parametrize("name", TEXT_METRICS[:3])
def test_always_abstaining_is_worth_the_share_that_has_no_answer(name: str) -> None:
    golds = [None, "The lid is steel.", None, "It does not say.", "No."]
    found = [Example(str(n), str(n), Reply(gold), Reply("?"), kind=get("reply")) for n, gold in enumerate(golds)]
    assert best_floors(found, [name], Tools(_normalise.strict))[name] == (2 / 5, "always abstain")


def test_unanswerable_f1_by_hand() -> None:
    pairs = [(None, None), (None, "x"), ("y", None), ("y", "y"), (None, "unreadable")]
    examples = [
        Example(str(i), str(i), Reply(gold), None if answer == "unreadable" else Reply(answer))
        for i, (gold, answer) in enumerate(pairs)
    ]
    assert value("unanswerable_f1", *examples) == pytest.approx(2 * 1 / (2 + 3))


def test_unanswerable_f1_is_not_available_without_unanswerable_rows() -> None:
    found = value("unanswerable_f1", Example("1", "g", Reply("y"), Reply(None)))
    assert found != found


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [("red red mug", "red mug", 0.8), ("the", "a", 1.0), ("the", "mug", 0.0), ("Red, MUG!", "a red mug", 1.0)],
)
def test_token_f1_is_squads(answer: str, gold: str, expected: float) -> None:
    assert value("token_f1", Example("1", "g", gold, answer)) == pytest.approx(expected)
