"""Two models' logged answers, scored on our command line, give the figures that their authors stored with them.

Their rule: only attributes present in an example's gold count, case matters, ``n/a`` is no value.
Source: https://github.com/wbsg-uni-mannheim/ExtractGPT (Apache-2.0); the files are not part of this project.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from converters.examples import example
from converters.io import jsonl
from converters.schema import Attributes, Row, Text

LOGS = Path(__file__).parents[2].parent / "shared" / "data" / "extraction_runs"
RUNS = ("oa_mine_gpt35_list_10shot", "oa_mine_gpt4_schema_10shot")


def _row(number: int, logged: dict[str, Any]) -> Row:
    values = tuple((key, tuple(found)) for key, found in logged["target_scores"].items())
    return example(
        Attributes(str(number), str(number), (Text("Title", logged["input"]),), values), "attributes", "oa_mine"
    )


def _answer(logged: dict[str, Any]) -> str:
    said = json.loads(logged["post_pred"])
    return json.dumps({key: None if said.get(key) == "n/a" else said.get(key) for key in logged["target_scores"]})


def _log(name: str) -> dict[str, Any]:
    path = LOGS / f"{name}.json.gz"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in ../shared/data/extraction_runs")
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def _scored(cli: Any, folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write a log as test rows and predictions, score them, and return the log and what scores.json says of the task."""
    log = _log(name)
    rows = [_row(number, logged) for number, logged in enumerate(log["examples"])]
    said = [{"id": row.id, "prediction": _answer(logged)} for row, logged in zip(rows, log["examples"], strict=True)]
    data, out = folder / "test.jsonl", folder / name / "eval"
    jsonl.write_lines(data, rows)
    jsonl.write_lines(out / "predictions.jsonl", said)
    given = ("--data", data, "--predictions", out / "predictions.jsonl", "--out", out, "--normaliser", "strict")
    done = cli("score", *given)
    assert done.exit_code == 0, done.output
    return log, json.loads((out / "scores.json").read_text())["tasks"]["attributes"]


@pytest.mark.parametrize("name", RUNS)
def test_micro_scores_are_those_the_authors_stored(cli: Any, tmp_path: Path, name: str) -> None:
    log, found = _scored(cli, tmp_path, name)
    assert found["n"] == 491
    for metric, stored in log["results"]["micro"].items():
        score = found["metrics"][f"mave_{metric}"]
        assert round(100 * score["value"], 2) == stored
        assert score["low"] < stored / 100 < score["high"]
    brand = next(one for one in found["slices"] if (one["kind"], one["name"]) == ("attribute", "Brand"))
    assert brand["n"] == sum("Brand" in logged["target_scores"] for logged in log["examples"])
    assert found["validity"]["value"] == 1


def test_their_paired_comparison(cli: Any, tmp_path: Path) -> None:
    first, second = (_scored(cli, tmp_path, name)[0]["results"]["micro"] for name in RUNS)
    assert cli("compare", *(tmp_path / name for name in RUNS), "--out", tmp_path / "out").exit_code == 0
    pairs = json.loads((tmp_path / "out" / "compare.json").read_text())["pairs"]
    found = {pair["metric"]: pair for pair in pairs}
    for metric in ("micro_precision", "micro_recall", "micro_f1"):
        pair, gap = found[f"mave_{metric}"], (second[metric] - first[metric]) / 100
        assert (pair["a"], pair["b"]) == RUNS
        assert pair["difference"] == pytest.approx(gap, abs=1e-4)
        assert 0 < pair["low"] < gap < pair["high"]
    head = found["micro_f1"]
    assert head["headline"] and head["verdict"] == "better" and head["p_holm"] < 0.001
    # Paired, the interval is narrower than what two intervals taken apart would give.
    apart = sum(head[score]["high"] - head[score]["low"] for score in ("score_a", "score_b"))
    assert head["high"] - head["low"] < apart
