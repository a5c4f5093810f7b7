"""ROUGE-L of English equal to rouge-score's own, bit for bit."""

import pytest
from hypothesis import assume, given
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
    "it’s",
    "1½",
    "×",
    "90°",
    "Acme™",
    "“no”",
    "a_b",
    "👍🏽",
    "a",
    "",
    "generously",
]
TEXT = st.one_of(
    st.text(st.characters(max_codepoint=127), max_size=40), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
)


def tokenised(text: str) -> bool:
    """Tell whether rouge-score has anything to compare in a text."""
    return text.isascii() or any(sign.isascii() and sign.isalnum() for sign in text)


@pytest.mark.parametrize("stem", [False, True])
@given(answer=TEXT, targets=st.lists(TEXT, min_size=1, max_size=3))
def test_equal_to_the_last_bit(stem: bool, answer: str, targets: list[str]) -> None:
    assume(all(map(tokenised, (answer, *targets))))
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
    assert generation.rouge_tokens("é\ud800b\x00c") == ["é", "b", "c"]
