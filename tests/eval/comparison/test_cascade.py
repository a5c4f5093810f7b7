"""A cascade beats random routing where the small model knows what it does not know, and is said not to where it does not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.examples import example
from converters.io import jsonl
from converters.schema import Attributes, Listing, Row, Text
from eval.comparison import cascade, effort
from eval.metrics._normalise import normaliser
from eval.metrics.base import Tools
from eval.results.schema import Output

PATHS = (("Home", "Kettles"), ("Home", "Mugs"), ("Sports", "Tents"), ("Sports", "Bags"))
TOOLS = Tools(normaliser("strict"))


@pytest.fixture
def products() -> list[Row]:
    rows = []
    for i in range(200):
        texts = (Text("Title", f"A thing, number {i}"),)
        rows.append(example(Listing(str(i), f"g{i}", texts, PATHS[i % 4]), "category", "demo"))
    return rows


@pytest.fixture
def records() -> list[Row]:
    rows = []
    for i in range(120):
        values = (("Brand", ("Acme",)), ("Fit", () if i % 3 else ("slim",)))
        rows.append(example(Attributes(str(i), f"g{i}", (Text("Title", f"Acme {i}"),), values), "attributes", "demo"))
    return rows


def wrong(row: Row) -> str:
    return " > ".join(PATHS[(PATHS.index(tuple(row.target.split(" > "))) + 1) % 4])  # type: ignore[arg-type]


def small(rows: list[Row], confidence: Callable[[int, bool], float]) -> list[tuple[Row, Output]]:
    """Every third answer is wrong; ``confidence`` is told the place and whether the answer is right."""
    answers = []
    for i, row in enumerate(rows):
        right = bool(i % 3)
        answers.append((row, Output(row.target if right else wrong(row), confidence={"path": confidence(i, right)})))
    return answers


def large(rows: list[Row]) -> list[tuple[Row, Output]]:
    """Every tenth answer is wrong."""
    return [(row, Output(row.target if i % 10 else wrong(row))) for i, row in enumerate(rows)]


def test_confidence_that_knows_beats_random_routing(products: list[Row]) -> None:
    [curve] = cascade.cascade(small(products, lambda i, right: 0.9 if right else 0.2), large(products), TOOLS)
    assert (curve.task, curve.metric, curve.n, curve.groups, curve.without) == ("category", "weighted_f1", 200, 200, 0)
    by_share = {point.share: point for point in curve.points}
    assert by_share[0.0].sent == 0 and by_share[1.0].sent == 200 and by_share[1.0].threshold is None
    assert by_share[0.0].value == by_share[0.0].random and by_share[1.0].value == by_share[1.0].random
    # 67 rows are wrong: with 40 % sent all of these have the large model's answer, which mends nine tenths of them.
    assert by_share[0.4].value > 0.95 > by_share[1.0].value > by_share[0.0].value
    assert by_share[0.4].random < 0.78
    assert curve.gain.verdict == "beats random routing" and curve.gain.low is not None and curve.gain.low > 0.05
    assert curve.keeping is None and by_share[0.4].kept is None


def test_confidence_that_knows_nothing_is_called_that(products: list[Row]) -> None:
    drawn = np.random.default_rng(5).random(200)
    [blind] = cascade.cascade(small(products, lambda i, right: float(drawn[i])), large(products), TOOLS)
    assert blind.gain.verdict == "not shown to beat random routing" and abs(blind.gain.area) < 0.04
    [tied] = cascade.cascade(small(products, lambda i, right: 0.5), large(products), TOOLS)
    assert tied.gain.verdict == "not shown to beat random routing" and abs(tied.gain.area) < 0.04
    [turned] = cascade.cascade(small(products, lambda i, right: 0.2 if right else 0.9), large(products), TOOLS)
    assert turned.gain.verdict == "worse than random routing"


def test_random_floor_is_the_mean_of_random_routings(products: list[Row]) -> None:
    one, other = small(products, lambda i, right: 0.5), large(products)
    [curve] = cascade.cascade(one, other, TOOLS)
    means = []
    for seed in range(60):
        drawn = np.random.default_rng(seed).random(200)
        ranked = [
            (row, Output(found.prediction, confidence={"path": p})) for (row, found), p in zip(one, drawn, strict=True)
        ]
        means.append(cascade.cascade(ranked, other, TOOLS, resamples=100)[0].points[8].value)
    assert curve.points[8].share == 0.5
    assert curve.points[8].random == pytest.approx(np.mean(means), abs=3 * np.std(means) / 60**0.5 + 0.003)


def test_confident_nulls_of_the_small_model_are_kept(records: list[Row]) -> None:
    """The small model misses no null and half of the brands; the large one knows every brand and makes up every fit."""

    def record(brand: str, fit: str | None) -> str:
        return json.dumps({"Brand": brand, "Fit": fit})

    fits = [json.loads(row.target)["Fit"] for row in records]
    few = [
        (
            row,
            Output(record("Acme" if i % 2 else "Apex", fit), confidence={"Brand": 0.9 if i % 2 else 0.1, "Fit": 0.95}),
        )
        for i, (row, fit) in enumerate(zip(records, fits, strict=True))
    ]
    many = [(row, Output(record("Acme", fit or "wide"))) for row, fit in zip(records, fits, strict=True)]
    [curve] = cascade.cascade(few, many, TOOLS)
    half = next(point for point in curve.points if point.share == 0.5)
    assert half.kept == 1.0 and half.value < 0.9  # whom it asks for the brand must not overrule the null
    assert curve.points[0].kept == curve.points[0].value
    assert curve.keeping is not None and curve.keeping.verdict == "better than all of the large model's values"


def test_cost_is_of_tokens_and_prices() -> None:
    records = [
        {"rows": 10, "prompt_tokens": 1000, "generated_tokens": 100},
        {"rows": 10, "prompt_tokens": 2000, "generated_tokens": 300},
    ]
    found = effort.efforts(records, [(1.0, 2.0), (10.0, 20.0)])
    assert found is not None
    assert found[0].cost == pytest.approx((100 * 1 + 10 * 2) / 1e6) and found[1].cost == pytest.approx(2600 / 1e6)
    assert effort.efforts([records[0], {}], [None, None]) is None


def written(folder: Path, answers: list[tuple[Row, Output]], test: Path, confident: bool) -> Path:
    out = folder / "eval"
    lines = [
        {"id": row.id, "prediction": found.prediction} | ({"confidence": dict(found.confidence)} if confident else {})
        for row, found in answers
    ]
    jsonl.write_lines(out / "predictions.jsonl", lines)
    record = {"test_sha256": jsonl.sha256(test), "rows": len(lines), "prompt_tokens": 4000, "generated_tokens": 400}
    jsonl.write_json(out / "predictions.json", record)
    return folder


def test_command_writes_the_page_and_says_what_is_wrong(cli: Any, products: list[Row], tmp_path: Path) -> None:
    test = tmp_path / "test.jsonl"
    jsonl.write_lines(test, products)
    one = written(tmp_path / "one", small(products, lambda i, right: 0.9 if right else 0.2), test, True)
    other = written(tmp_path / "<b>other", large(products), test, False)
    out = tmp_path / "out"
    prices = ("--small-price", 0.1, 0.4, "--large-price", 2, 8)
    found = cli("cascade", one, other, "--data", test, "--out", out, *prices)
    assert found.exit_code == 0, found.output
    assert "beats random routing" in found.output
    page, table = (out / "cascade.html").read_text("utf-8"), (out / "cascade.md").read_text("utf-8")
    assert "&lt;b&gt;other" in page and "<b>other" not in page.replace("&lt;b&gt;other", "")
    assert page.count("<figure") == 1 and "cost of 1,000 rows" in page and "beats random routing" in table
    [curve] = json.loads((out / "cascade.json").read_text())["curves"]
    # 20 tokens of prompt and 2 of answer a row: (20 · 0.1 + 2 · 0.4) and (20 · 2 + 2 · 8) millionths
    assert curve["points"][0]["cost"] == pytest.approx(2.8e-6) and curve["points"][-1]["cost"] == pytest.approx(58.8e-6)
    for words, said in (
        ((other, one), "--confidence"),
        ((one, tmp_path / "othr"), "no predictions.jsonl"),
        ((one, other, "--small-price", 1, 2), "both --small-price and --large-price"),
    ):
        wrong_way = cli("cascade", *words, "--data", test, "--out", tmp_path / "no")
        assert wrong_way.exit_code == 1 and said in wrong_way.output and "Traceback" not in wrong_way.output
        assert not (tmp_path / "no").exists()
