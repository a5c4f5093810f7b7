"""Two models' logged answers, scored by our code, give the figures that their authors stored with them.

Their rule: only attributes present in an example's gold count, case matters, ``n/a`` is no value.
Source: https://github.com/wbsg-uni-mannheim/ExtractGPT (Apache-2.0); the files are not part of this project.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from converters.examples import Row, example
from converters.records import Attributes, Text
from eval.score import Settings, join, score

LOGS = Path(__file__).parents[2].parent / "shared" / "data" / "extraction_runs"


def _row(number: int, logged: dict[str, Any]) -> Row:
    values = tuple((key, tuple(found)) for key, found in logged["target_scores"].items())
    return example(
        Attributes(str(number), str(number), (Text("Title", logged["input"]),), values), "attributes", "oa_mine"
    )


def _answer(logged: dict[str, Any]) -> str:
    said = json.loads(logged["post_pred"])
    return json.dumps({key: None if said.get(key) == "n/a" else said.get(key) for key in logged["target_scores"]})


@pytest.mark.parametrize("name", ["oa_mine_gpt35_list_10shot", "oa_mine_gpt4_schema_10shot"])
def test_micro_scores_are_those_the_authors_stored(name: str) -> None:
    path = LOGS / f"{name}.json.gz"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in ../shared/data/extraction_runs")
    log = json.loads(gzip.decompress(path.read_bytes()))
    rows = [_row(number, logged) for number, logged in enumerate(log["examples"])]
    said = {row.id: _answer(logged) for row, logged in zip(rows, log["examples"], strict=True)}
    scores, _ = score(join(rows, said), Settings("strict", resamples=200))
    found = scores["attributes"]
    assert found.n == 491
    for metric, stored in log["results"]["micro"].items():
        assert round(100 * found.metrics[metric].value, 2) == stored
        low, high = found.metrics[metric].low, found.metrics[metric].high
        assert low is not None and high is not None and low < stored / 100 < high
