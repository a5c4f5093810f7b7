"""ROUGE-L equal to rouge-score's own, bit for bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from eval.metrics import generation

THEIRS = {stem: RougeScorer(["rougeL"], use_stemmer=stem) for stem in (False, True)}
WORDS = [
    "running",
    "Runs",
    "ran",
    "batteries",
    "battery's",
    "1.5L",
    "İstanbul",
    "ﬁne",
    "K",
    "café",
    "红",
    "a",
    "",
    "generously",
]
TEXT = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))


@pytest.mark.parametrize("stem", [False, True])
@given(answer=TEXT, targets=st.lists(TEXT, min_size=1, max_size=3))
def test_equal_to_the_last_bit(stem: bool, answer: str, targets: list[str]) -> None:
    theirs = THEIRS[stem].score_multi(targets, answer)["rougeL"].fmeasure
    assert (
        generation.best(answer, targets, stem)
        == theirs
        == max(THEIRS[stem].score(t, answer)["rougeL"].fmeasure for t in targets)
    )


@given(st.lists(st.sampled_from("abc"), max_size=150), st.lists(st.sampled_from("abc"), max_size=150))
def test_long_texts_of_few_words(answer: list[str], target: list[str]) -> None:
    theirs = THEIRS[False].score(" ".join(target), " ".join(answer))["rougeL"].fmeasure
    assert generation.best(" ".join(answer), [" ".join(target)], stem=False) == theirs


def test_a_lone_surrogate_and_nul_are_no_letters() -> None:
    assert generation.rouge_tokens("a\ud800b\x00c") == ["a", "b", "c"]
