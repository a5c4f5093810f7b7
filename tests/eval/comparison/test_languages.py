"""Comparisons of runs that answer in other scripts than Latin, and of scores by an older tokeniser."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.io import jsonl

# What is asked, the gold, a right answer typed otherwise, and a wrong one with the same number in it.
ASKED = {
    "ja": ("何ミリですか？", "幅は{}ミリです。", "幅は{}ミリです", "保証は{}か月で、返品できません。"),
    "zh": ("有几个口袋？", "一共有{}个口袋。", "一共有{}个口袋", "重{}公斤，没有。"),
    "ru": ("Сколько карманов?", "Всего {} карманов.", "ВСЕГО {} КАРМАНОВ", "Нет, {} месяца гарантии"),
    "ar": ("كم عدد الجيوب؟", "فيها {} جيوب.", "فيها {} جيوب", "ضمانها {} شهرا فقط"),
}
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


@pytest.mark.parametrize("language", ASKED)
def test_the_right_run_is_the_better_one_and_passes_the_gate(cli: Any, tmp_path: Path, language: str) -> None:
    question, gold, right, wrong = ASKED[language]
    rows: list[Any] = []
    said: dict[str, list[Any]] = {"right": [], "wrong": []}
    for n in range(40):
        number, id_ = str(n + 3), f"q{n}"
        turns = [{"role": "user", "content": f"[QA] Answer\nQuestion: {question}\n[1] ?"}]
        turns.append({"role": "assistant", "content": gold.format(number)})
        rows.append({"id": id_, "group": id_, "task": "answer", "source": "s", "messages": turns, "meta": "{}"})
        said["right"].append({"id": id_, "prediction": right.format(number.translate(WIDE))})
        said["wrong"].append({"id": id_, "prediction": wrong.format(number)})
    jsonl.write_lines(tmp_path / "test.jsonl", rows)
    for name, lines in said.items():
        path = tmp_path / name / "predictions.jsonl"
        jsonl.write_lines(path, lines)
        found = cli("score", "--data", tmp_path / "test.jsonl", "--predictions", path, "--out", path.parent)
        assert found.exit_code == 0, found.output
    assert _compared(cli, tmp_path, "wrong", "right") == (0, "better", 1)
    exit_code, verdict, value = _compared(cli, tmp_path, "right", "wrong")
    assert exit_code == 1 and verdict.startswith("worse") and value < 0.6


def _compared(cli: Any, folder: Path, first: str, second: str) -> tuple[int, str, float]:
    out = folder / f"{first}-{second}"
    found = cli("compare", folder / first, folder / second, "--out", out, "--gate")
    (pair,) = (p for p in json.loads((out / "compare.json").read_bytes())["pairs"] if p["headline"])
    return found.exit_code, pair["verdict"], pair["value_b"]


def test_scores_without_a_tokeniser_are_to_be_made_again(cli: Any, scored: Any, tmp_path: Path) -> None:
    runs = [scored(name, lambda _, row: row.target) for name in ("older", "newer")]
    path = runs[0] / "eval" / "scores.json"
    scores = json.loads(path.read_bytes())
    del scores["provenance"]["tokeniser"]
    jsonl.write_json(path, scores)
    found = cli("compare", *runs, "--out", tmp_path / "out")
    assert found.exit_code == 1
    assert found.output.strip().endswith(
        "they differ in the tokeniser: older has none recorded and newer has rouge-score/words-1; "
        "run ecom-eval score again on both"
    )
