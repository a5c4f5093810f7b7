"""A model's labels are the answers that ``predict`` gets for the same products, with the same confidences."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from converters.io import jsonl
from eval.cli import main
from tests.converters._converted import convert
from tests.eval.production.applying import _shop as shop


def cli(*words: object) -> Result:
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    return found


@pytest.mark.slow
def test_labels_are_the_answers_of_predict(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train = shop.write(tmp_path / "train.csv", shop.products())
    run = shop.trained(tmp_path, shop.entry(train, tasks=["category"]), merged=tiny_checkpoint)
    labelled = shop.entry(shop.write(tmp_path / "labelled.csv", shop.products(6)), tasks=["category"])
    jsonl.write_lines(tmp_path / "test.jsonl", convert(labelled).rows)
    shop.write(tmp_path / "new.csv", shop.products(6), without=shop.LABELS)
    cli("apply", "--run", "shop", "--catalog", "new.csv", "--out", "out.csv", "--candidates", 2)
    constrain = ("--constrain", "--paths", "data/shop/train.jsonl", "--confidence", "--candidates", 2)
    cli("predict", "--checkpoint", run / "merged", "--data", "test.jsonl", "--out", "eval", *constrain)
    expected = {
        line["id"].split(":", 2)[2]: line for line in map(json.loads, (tmp_path / "eval/predictions.jsonl").open())
    }
    found = shop.table(tmp_path / "out.csv")
    assert [row["sku"] for row in found] == [*expected]
    for row in found:
        assert row["predicted_category"] == expected[row["sku"]]["prediction"]
        assert float(row["confidence_category"]) == pytest.approx(expected[row["sku"]]["confidence"]["path"], rel=1e-4)
    record = json.loads((tmp_path / "out.csv.json").read_text())
    assert (
        record["checkpoint_sha256"] == json.loads((tmp_path / "eval/predictions.json").read_text())["checkpoint_sha256"]
    )
    assert record["decoding"]["constrain"]["tasks"] == {"category": "texts"} and record["candidates"]["count"] == 2
