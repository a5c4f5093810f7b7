"""Comparisons: what they say, and what they refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from converters import jsonl, tasks


@pytest.fixture
def products() -> int:
    return 60


def mostly(share: int, salt: int = 0) -> Any:
    return lambda i, row: row.target if (i * 7919 + salt) % 10 < share else "[]"


def compare(cli: Any, out: Path, *folders: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    found = cli("compare", *folders, "--out", out, "--resamples", 400)
    assert found.exit_code == 0, found.output
    assert str(out / "compare.html") in found.output
    pairs = json.loads((out / "compare.json").read_text())["pairs"]
    return {(pair["b"], pair["task"], pair["metric"]): pair for pair in pairs}


def test_difference_is_later_minus_first(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(2)), scored("tuned", mostly(9))
    found = compare(cli, tmp_path / "out", base, tuned)
    for pair in found.values():
        assert (pair["a"], pair["b"]) == ("base", "tuned")
        assert pair["difference"] == pytest.approx(pair["value_b"] - pair["value_a"])
        assert pair["low"] <= pair["difference"] <= pair["high"]
        assert 0 < pair["p"] <= pair["p_holm"] <= 1
    best = found["tuned", "category", "weighted_f1"]
    assert best["headline"] and best["low"] > 0 and best["verdict"] == "better"
    back = compare(cli, tmp_path / "back", tuned, base)["base", "category", "weighted_f1"]
    assert back["verdict"] == "worse"
    assert (back["low"], back["high"]) == pytest.approx((-best["high"], -best["low"]))


def test_values_are_those_of_the_scores(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(2)), scored("tuned", mostly(9))
    scores = json.loads((tuned / "eval" / "scores.json").read_text())["tasks"]
    for (_, task, metric), pair in compare(cli, tmp_path / "out", base, tuned).items():
        assert pair["value_b"] == scores[task]["metrics"][metric]["value"]


def test_mcnemar_counts_discordant_rows(cli: Any, scored: Any, tmp_path: Path) -> None:
    base, tuned = scored("base", mostly(3)), scored("tuned", mostly(5, 8))
    lines = [[json.loads(line) for line in (run / "eval" / "rows.jsonl").open()] for run in (base, tuned)]
    right = [{row["id"]: row["values"]["accuracy"] for row in run if row["task"] == "category"} for run in lines]
    gained = sum(right[1][i] > right[0][i] for i in right[0])
    lost = sum(right[1][i] < right[0][i] for i in right[0])
    assert gained and lost
    pair = compare(cli, tmp_path / "out", base, tuned)["tuned", "category", "accuracy"]
    assert pair["test"] == "mcnemar"
    assert pair["p"] == pytest.approx(binomtest(gained, gained + lost).pvalue)


def test_equal_runs_are_not_shown_to_differ(cli: Any, scored: Any, tmp_path: Path) -> None:
    for pair in compare(cli, tmp_path / "out", scored("base", mostly(5)), scored("same", mostly(5))).values():
        assert (pair["difference"], pair["low"], pair["high"], pair["p"]) == (0, 0, 0, 1)
        assert pair["verdict"] == "not shown to differ"


def test_three_runs_are_each_paired_with_the_first(cli: Any, scored: Any, tmp_path: Path) -> None:
    folders = [scored(name, mostly(share)) for name, share in (("base", 2), ("one", 5), ("two", 9))]
    found = compare(cli, tmp_path / "out", *folders)
    assert {name for name, _, _ in found} == {"one", "two"}
    heads = sorted((pair["p"], pair["p_holm"]) for pair in found.values() if pair["headline"])
    assert len(heads) == 2 * len(tasks.names())
    assert heads[0][1] == pytest.approx(min(1, len(heads) * heads[0][0]))


def refusal(cli: Any, out: Path, *folders: Path) -> str:
    found = cli("compare", *folders, "--out", out)
    assert found.exit_code == 1
    assert not out.exists()
    (line,) = found.output.splitlines()
    return str(line)


def test_it_refuses_other_settings_and_says_which(cli: Any, scored: Any, tmp_path: Path) -> None:
    base = scored("base", mostly(5))
    mave = scored("mave", mostly(5), "--normaliser", "mave")
    longer = scored("longer", mostly(5), decoding={"max_new_tokens": 99})
    unknown = scored("unknown", mostly(5), decoding=None)
    out = tmp_path / "out"
    assert "they differ in the normaliser: base has strict and mave has mave" in refusal(cli, out, base, mave)
    assert 'decoding settings: base has {"max_new_tokens":64} and longer has' in refusal(cli, out, base, longer)
    assert "unknown has none recorded" in refusal(cli, out, base, unknown)
    assert "found 1 run, expected two or more" in refusal(cli, out, base)
    assert "expected every run once" in refusal(cli, out, base, base)
    assert "expected a scored run" in refusal(cli, out, base, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("key", "word"), [("test_sha256", "test file"), ("prompt_sha256", "prompts"), ("scorer_sha256", "scorer")]
)
def test_it_refuses_another_origin(cli: Any, scored: Any, tmp_path: Path, key: str, word: str) -> None:
    base, other = scored("base", mostly(5)), scored("other", mostly(5))
    path = other / "eval" / "scores.json"
    scores = json.loads(path.read_text())
    scores["provenance"][key] = "0" * 64
    path.write_text(json.dumps(scores))
    assert f"they differ in the {word}:" in refusal(cli, tmp_path / "out", base, other)


def test_it_refuses_scores_of_an_older_scorer_and_edited_rows(cli: Any, scored: Any, tmp_path: Path) -> None:
    runs = [scored(name, mostly(5)) for name in ("base", "other")]
    path = runs[1] / "eval" / "rows.jsonl"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"Acme", b"Umbra"))
    assert "other rows than scores.json was made from" in refusal(cli, tmp_path / "out", *runs)
    path.write_bytes(kept)
    for run in runs:
        scores = json.loads((run / "eval" / "scores.json").read_text())
        scores["provenance"]["scorer_sha256"] = "0" * 64
        jsonl.write_json(run / "eval" / "scores.json", scores)
    assert "run ecom-eval score again" in refusal(cli, tmp_path / "out", *runs)
