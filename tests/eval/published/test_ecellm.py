"""eCeLLM's scoring against hand-worked cases of its script, and beside ours on its real grades."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from converters import tasks
from converters.examples import example
from converters.schema import Attributes, Choice, Question, Ranking, Row, Text, Verdict
from converters.sources.esci import GAINS
from eval.metrics import _normalise
from eval.metrics.base import Tools
from eval.published import ecellm
from eval.results import schema
from eval.results.schema import Output, Published
from eval.scoring import score

TOOLS, TEXTS = Tools(_normalise.strict), (Text("Title", "Mug"),)


def published(rows: list[Row], said: list[Any], tools: Tools = TOOLS) -> Published:
    found = ecellm.scores([(row, Output(one)) for row, one in zip(rows, said, strict=True)], tools)
    ((part, only),) = next(iter(found.values())).items()
    assert part
    return only


def lists(gains: list[tuple[float, ...]]) -> list[Row]:
    records = [Ranking(str(n), str(n), "mug", tuple(f"Mug {k}" for k in range(len(g))), g) for n, g in enumerate(gains)]
    return [example(record, "ranking", "ecinstruct") for record in records]


def test_always_answering_a_on_the_real_grades() -> None:
    path = Path(__file__).parents[3].parent / "shared" / "data" / "ecinstruct" / "query_product_rank_labels.json"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in ../shared/data/ecinstruct")
    rows = lists([tuple(GAINS[label] for label in labels) for labels in json.loads(path.read_bytes())])
    found = published(rows, ["1"] * len(rows))
    assert found.n == 1000
    assert round(found.metrics["ndcg"].ecellm or 0, 2) == 0.78
    assert round(found.metrics["ndcg"].ours or 0, 2) == 0.43


def test_ranking_by_hand() -> None:
    gains = (0.1, 1.0, 0.0)
    assert [published(lists([gains]), [said]).metrics["ndcg"].ecellm for said in ("1", "2", "3", "", "B, A")] == (
        pytest.approx([1, 1, 0, 0, 1], abs=2e-5)
    )
    worst, best = 2**0.1 - 1 + 1 / np.log2(3), 1 + (2**0.1 - 1) / np.log2(3)
    assert published(lists([gains]), ["1, 2"]).metrics["ndcg"].ecellm == pytest.approx(worst / best, abs=1e-5)
    assert published(lists([gains]), ["A,B"]).metrics["ndcg"].ecellm == pytest.approx(worst / best, abs=1e-5)
    # a repeated product gains again; a letter after a space is dropped
    assert published(lists([gains]), ["2,2,2"]).metrics["ndcg"].ecellm == pytest.approx(1, abs=1e-5)
    assert published(lists([gains]), ["B, A"]).dropped == 1
    assert published(lists([gains]), ["B, A"]).metrics["ndcg"].ours == 0


def verdicts(gold: str) -> list[Row]:
    return [example(Verdict(str(n), str(n), "Same?", TEXTS, g == "y"), "yes_no", "shop") for n, g in enumerate(gold)]


def test_what_is_not_readable_leaves_the_denominator() -> None:
    found = published(verdicts("yynn"), [" YES", "Yes.", "well", "no"])
    assert found.dropped == 2  # the full stop is one reason
    assert (found.metrics["accuracy"].ecellm, found.metrics["f1_yes"].ecellm) == (1, 1)
    assert (found.metrics["accuracy"].ours, found.metrics["f1_yes"].ours) == (0.75, 1)
    nothing = published(verdicts("yn"), ["", 5])
    assert (nothing.dropped, nothing.metrics["f1_yes"].ecellm, nothing.metrics["f1_yes"].ours) == (2, None, 0)


def choices(
    gold: Sequence[str], options: int = 5, source: str = "ecinstruct", name: str = "Sentiment_Analysis"
) -> list[Row]:
    named = tuple(f"option {n}" for n in range(options))
    records = [Choice(f"{name}:{n}", str(n), "Which?", TEXTS, named, named[ord(g) - 65]) for n, g in enumerate(gold)]
    return [example(record, "choice", source) for record in records]


def test_the_first_letter_decides_and_the_labels_are_those_that_are_left() -> None:
    said = ["Excellent", "option 1", "B: well", "Zero", "D"]
    found = published(choices("EBACA"), said)
    kept = (list("EBAA"), list("EBBD"))
    assert found.dropped == 1
    assert found.metrics["macro_f1"].ecellm == pytest.approx(f1_score(*kept, average="macro", zero_division=0))
    assert found.metrics["accuracy"].ecellm == 0.5
    assert found.metrics["accuracy"].ours == 0.2


def test_the_mean_over_labels_is_that_in_their_order_to_the_last_bit() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        gold, said = random.choice([*"ABCDE"], (2, 40)).tolist()
        found = published(choices(gold), said)
        each = f1_score(gold, said, average=None, zero_division=0).tolist()
        assert found.metrics["macro_f1"].ecellm == sum(each) / len(each)


def test_many_options_are_the_recommendation_task_where_the_whole_letter_counts() -> None:
    pairs = [
        (row, Output(said)) for row, said in zip(choices("AB", 20, "shop"), ["A nice one", "option 1"], strict=True)
    ]
    found = ecellm.scores(pairs, TOOLS)["choice"]["shop, as Sequential_Recommendation"]
    assert (found.dropped, found.metrics["recall_at_1_of_options"].ecellm) == (1, 1)
    assert found.metrics["recall_at_1_of_options"].ours == 0.5


def test_the_parts_are_ecinstructs_tasks() -> None:
    rows = [*choices("AB"), *choices("C", name="Product_Relation_Prediction")]
    found = ecellm.scores([(row, Output("A")) for row in rows], TOOLS)
    assert {part: one.n for part, one in found["choice"].items()} == {
        "Sentiment_Analysis": 2,
        "Product_Relation_Prediction": 1,
    }


def records(*values: tuple[str, ...]) -> list[Row]:
    found = [Attributes(str(n), str(n), TEXTS, (("Color", v), ("Size", ()))) for n, v in enumerate(values)]
    return [example(record, "attributes", "mave") for record in found]


def test_repeated_values_make_recall_exceed_1_and_parts_count_out_of_domain() -> None:
    found = published(records(("Red",)), ['{"Color": ["Red", "Red", "Red"], "Size": null}']).metrics
    assert found["recall"].ecellm == 2  # four hits, the rightly empty one among them, of two labels
    assert found["recall"].ours == 1
    part = published(records(("Dark Red",)), ['{"Color": "Red", "Size": 5}']).metrics
    assert (part["f1"].ecellm, part["f1_substring"].ecellm) == (0, pytest.approx(0.5, abs=1e-5))
    broken = published(records(("Red",), ("Blue",)), ["[" * 10_000, '{"Color": "Blue"}'])
    assert broken.dropped == 1
    assert broken.metrics["recall"].ecellm == 0.25


def test_answers_need_a_model() -> None:
    rows = [example(Question("1", "g", "Hot?", ("Yes.",), "Yes."), "answer", "amazonqa")]
    assert published(rows, ["Yes."]).metrics == {}
    found = published(rows, ["Yes."], Tools(_normalise.strict, bert=lambda said, references: np.array([0.25])))
    assert found.metrics["bert_score_f1"].ecellm == 0.25


def test_it_stands_beside_our_scores_and_is_called_flawed(rows: list[Row]) -> None:
    pairs = [(row, Output(row.target)) for row in rows]
    found, _ = score.score(pairs, schema.Settings(resamples=100))
    beside = ecellm.beside(found, ecellm.scores(pairs, TOOLS))
    assert set(beside) == set(found)
    assert {task for task, one in beside.items() if one.ecellm} == {
        task for task in found if tasks.get(task).kind in ecellm.RULES
    }
    assert beside["choice"].metrics == found["choice"].metrics
    shown = ecellm.table(beside)
    assert "flawed" in shown
    assert "demo, as Query_Product_Rank: 12 rows, 0 answers dropped\n    ndcg: 1.000 there, 1.000 here" in shown
