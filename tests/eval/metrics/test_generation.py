"""Text metrics against rouge-score and by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from converters.tasks.answer import ABSTENTION, Reply
from eval import metrics
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.scoring import stats

THEIRS = RougeScorer(["rougeL"], use_stemmer=True)
TEXT = st.text("abé 1-.红runnings", min_size=1, max_size=30).filter(str.strip)


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
    assert value("rouge_l", Example("1", "g", "是的", "不是")) == 0


def test_an_abstention_is_compared_as_its_sentence_alone() -> None:
    extra = {"references": ["Yes."]}
    assert value("rouge_l", Example("1", "g", Reply(None), Reply(ABSTENTION), extra)) == 1
    assert value("exact_match", Example("1", "g", Reply(None), Reply("Yes."), extra)) == 0
    assert value("exact_match", Example("1", "g", Reply("It does."), Reply("Yes.", (2,)), extra)) == 1


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
