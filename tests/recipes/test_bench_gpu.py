"""The measuring of a GPU, tiny and on the CPU: real trainings of Axolotl, whose figures are told of."""

import json
import resource
import sys
from pathlib import Path

import pytest
import yaml

from converters.core.errors import InputError
from recipes.runner import bench
from recipes.runner.bench import Figure
from recipes.runner.demo import tiny_model
from recipes.runner.preflight import machine


def test_the_speed_is_that_of_tokens_without_padding_after_the_warm_up() -> None:
    slow, fast = {"seconds": 9.0, "tokens": 90, "slots": 100}, {"seconds": 1.0, "tokens": 80, "slots": 100}
    found = {
        "device": "X",
        "memory": 2**31,
        "steps": [slow] * bench.WARM_UP + [fast] * 3 + [fast | {"seconds": 2.0}],
    }
    figure = bench.figure("a", "short", found, {"base_model": "no/such"})
    assert figure == Figure("a", "short", "X", 80.0, 0.8, 2.0, 0.0)
    assert list(bench.table([figure]))[2] == "| a | short | 80 | 0.800 | 2.0 GiB | 0.0 GiB |"
    assert bench.figure("a", "short", found | {"steps": [slow]}, {"base_model": "no/such"}).speed == 10


def test_rows_have_the_length_of_their_kind() -> None:
    tokenizer = tiny_model.vocabulary(turn.content for row in bench.rows("short", 500, 0) for turn in row.messages)
    for kind, (least, most) in bench.ROWS.items():
        texts = [row.messages[0].content for row in bench.rows(kind, 50, 0)]
        sizes = [len(tokenizer(text).input_ids) for text in texts]
        assert sizes == [len(text.split()) for text in texts] and min(sizes) >= least and max(sizes) <= most
        assert [row.id for row in bench.rows(kind, 2, 0)] == [f"{kind}:0", f"{kind}:1"]


def test_a_name_that_is_none_measures_nothing(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="--only 'mistral-qlor': no such recipe and no such rows; did you mean 'mistral-"
    ):
        bench.run(tmp_path, 1, True, ("mistral-qlor",), print, lambda piece: None)
    assert not list(tmp_path.iterdir())


def test_every_variant_is_the_recipe_that_is_shipped() -> None:
    plans = dict(bench.plans(False))
    assert list(plans) == ["axolotl's example", *bench.VARIANTS]
    assert plans["mistral-qlora-80gb"]["micro_batch_size"] == 8 and plans["mistral-lora"]["adapter"] == "lora"
    plain = plans["axolotl's example"]
    assert (plain["sequence_len"], plain["micro_batch_size"], plain["lora_dropout"]) == (8192, 2, 0.05)
    assert "liger_fused_linear_cross_entropy" not in plain and "plugins" not in plain
    assert all(not machine.CPU.keys() & {"test_datasets"} & keys.keys() for keys in plans.values())


def test_a_base_that_was_cut_short_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full in the middle of the weights; their configuration was written before them."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # half of a file of it would stay in the environment
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(Exception, match=r"(?i)too large"):
            bench.base(tmp_path / "bench" / "base", True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "bench").iterdir()) == []


@pytest.mark.slow
def test_two_trainings_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[Figure] = []
    stale = Path("bench/mistral-qlora-80gb-short/prepared/of-other-steps")
    stale.mkdir(parents=True)
    only = ("axolotl's example", "mistral-qlora-80gb", "short")
    figures = bench.run(Path("bench"), 2, True, only, told.append, lambda piece: None)
    assert figures == told and [one.name for one in figures] == ["axolotl's example", "mistral-qlora-80gb"]
    for one in figures:
        assert one.speed > 0 and 0.5 < one.share <= 1 and one.memory > 0.1 and one.rows == "short"
    place = Path("bench/mistral-qlora-80gb-short")
    steps = json.loads((place / "meter.json").read_text())["steps"]
    assert len(steps) == 2 and all(step["slots"] == 256 and 0 < step["tokens"] <= 256 for step in steps)
    assert yaml.safe_load((place / "recipe.yaml").read_text())["lora_alpha"] == 64
    assert not stale.exists()  # rows of another number of steps, or of the other base's tokens
    # A base of another size is never taken for this one.
    assert Path("bench/tiny-base/config.json").is_file() and not Path("bench/base").exists()
