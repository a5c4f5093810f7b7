"""Ranked candidates of two runs are compared where both were found in one way, and left out with a sentence elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.io import jsonl
from eval.inference.backends import base, openai, vllm
from eval.inference.backends._client import Served
from eval.inference.backends.base import Endpoint, Plan

PATHS = ("Home > Kitchen > Mugs", "Home > Kitchen > Pans", "Sport > Tents", "Toys > Kites")
TEXTS: dict[str, Any] = {"tasks": {"category": "texts"}}
FREE: dict[str, Any] = {"tasks": {"category": "free", "yes_no": "texts"}}
SAMPLES = openai.ranked_by(openai.Server(Endpoint("http://127.0.0.1/v1", "m"), Served(None), None, None), Plan(""))


def scored(cli: Any, folder: Path, name: str, ranked: bool = True, **record: Any) -> Path:
    """Score a run on 24 products, with three candidates of four paths each if ``ranked``."""
    rows, lines = [], []
    for n in range(24):
        turns = [{"role": "user", "content": "[CLASSIFY] Give the category path."}]
        turns.append({"role": "assistant", "content": PATHS[n % 4]})
        rows.append(
            {"id": f"r{n}", "group": f"g{n}", "task": "category", "source": "s", "messages": turns, "meta": "{}"}
        )
        first = n * len(name)  # runs whose names are of other lengths answer otherwise
        candidates = [PATHS[(first + place) % 4] for place in range(3)]
        lines.append({"id": f"r{n}", "prediction": candidates[0]} | ({"candidates": candidates} if ranked else {}))
    jsonl.write_lines(folder / "test.jsonl", rows)
    path = folder / name / "eval" / "predictions.jsonl"
    jsonl.write_lines(path, lines)
    path.with_name("predictions.json").write_text(json.dumps(record))
    words = ("--predictions", path, "--out", path.parent, "--resamples", 200)
    found = cli("score", "--data", folder / "test.jsonl", *words)
    assert found.exit_code == 0, found.output
    return folder / name


def record(by: str | None, constrain: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    decoding = {"max_new_tokens": 64} | ({"constrain": constrain} if constrain else {})
    return {"decoding": decoding, "candidates": by and {"count": 3, "by": by}, **more}


def compare(cli: Any, out: Path, *runs: Path) -> tuple[set[str], dict[str, str], str]:
    """Return the metrics that are compared, what is left out, and what the terminal, or both pages, say."""
    found = cli("compare", *runs, "--out", out, "--resamples", 200)
    assert found.exit_code == 0, found.output
    comparison = json.loads((out / "compare.json").read_text())
    pages = [found.output, (out / "compare.html").read_text(), (out / "compare.md").read_text()]
    (said,) = {"Left out of category" in page for page in pages}
    assert said == bool(comparison["candidates_left_out"])
    return {pair["metric"] for pair in comparison["pairs"]}, comparison["candidates_left_out"], found.output


SERVED = vllm.ranked_by(None, Plan("", constrain=TEXTS))  # type: ignore[arg-type]  # it looks at the plan alone


def test_candidates_from_lists_of_texts_are_not_those_of_a_constrained_beam_search(cli: Any, tmp_path: Path) -> None:
    runs = (
        scored(cli, tmp_path, "here", **record(base.BEAMS, TEXTS)),
        scored(cli, tmp_path, "served", **record(SERVED, TEXTS)),
    )
    metrics, left_out, said = compare(cli, tmp_path / "out", *runs)
    assert "weighted_f1" in metrics and not [name for name in metrics if name.startswith("top_")]
    ways = f"here: {base.BEAMS}; served: {base.CHOICES}"
    assert left_out == {"category": ways}
    sentence = f"Left out of category, since the runs rank its candidates in different ways ({ways}): top-K accuracy;"
    assert sentence in said


@pytest.mark.parametrize(
    ("one", "other", "constrain", "alike"),
    [
        (base.BEAMS, base.BEAMS, None, True),
        (SERVED, SERVED, TEXTS, True),
        (base.BEAMS, SERVED, FREE, True),  # nothing constrains this task: a beam search in both
        (f"{base.CHOICES}; {SAMPLES}", SERVED, TEXTS, True),
        (f"{base.CHOICES}; {SAMPLES}", SERVED, FREE, False),
        (base.BEAMS, SAMPLES, None, False),
        (base.BEAMS, None, None, False),
        (None, None, None, True),
    ],
)
def test_candidates_are_compared_where_they_are_found_in_one_way(
    cli: Any, tmp_path: Path, one: str | None, other: str | None, constrain: Any, alike: bool
) -> None:
    runs = [scored(cli, tmp_path, name, **record(by, constrain)) for name, by in (("one", one), ("other", other))]
    metrics, left_out, _ = compare(cli, tmp_path / "out", *runs)
    assert ("top_3_accuracy" in metrics) == alike == (not left_out)


def test_a_baseline_and_a_run_without_candidates_leave_nothing_out(cli: Any, tmp_path: Path) -> None:
    tuned = scored(cli, tmp_path, "tuned", **record(base.BEAMS))
    nearest = scored(cli, tmp_path, "nearest", baseline="nearest", candidates=3)
    metrics, left_out, _ = compare(cli, tmp_path / "ranked", nearest, tuned)
    assert "top_3_accuracy" in metrics and not left_out
    plain = scored(cli, tmp_path, "plain", ranked=False, **record(SERVED))
    metrics, left_out, _ = compare(cli, tmp_path / "plain-out", tuned, plain)
    assert "weighted_f1" in metrics and "top_3_accuracy" not in metrics and not left_out
