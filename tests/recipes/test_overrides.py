"""A key of the recipe on the command line: in two spellings, never silently something else, and the data of another mix."""

import subprocess
from pathlib import Path

import pytest
import yaml

from converters.core.errors import InputError
from recipes.runner import recipe
from tests.recipes.conftest import ROOT, command, recipe_keys, small_mix

DEMO = ROOT / "recipes" / "demo-qlora.yaml"


def test_both_spellings_say_the_same() -> None:
    by_set = recipe.load(DEMO, ["learning_rate=1e-4", "lora_target_modules=[q_proj]"])
    by_key = recipe.load(DEMO, recipe.joined(["--learning-rate", "1e-4", "--lora_target_modules=[q_proj]"]))
    assert by_set.keys == by_key.keys and by_key.overrides == {
        "learning_rate": 0.0001,
        "lora_target_modules": ["q_proj"],
    }
    assert (
        recipe.where(by_key, ("learning_rate",)) == "--learning-rate"
        and recipe.where(by_set, ("learning_rate",)) == "--set"
    )


@pytest.mark.parametrize(
    "words", [["--seed"], ["--seed", "--bf16", "true"], ["other.yaml"], ["seed", "1"], ["-s", "1"]]
)
def test_what_is_no_key_with_a_value_is_an_error(words: list[str]) -> None:
    with pytest.raises(InputError, match=r"has no value|found ('other\.yaml'|'seed'|'-s')"):
        recipe.joined(words)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--lerning-rate", "1e-4"], ["--set", "lerning_rate=1e-4"]])
def test_a_misspelt_override_is_an_error_with_the_nearest_key(words: list[str], tmp_path: Path) -> None:
    small_mix(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe_keys("./base", "data/mix")))
    done = command(tmp_path, "ecom-train", "train", "mine.yaml", "--run", "typo", *words)
    assert done.returncode == 1 and not (tmp_path / "runs").exists()
    assert (
        done.stderr.splitlines()[-1] == f"error: {words[0]}: unknown key 'lerning_rate'; did you mean 'learning_rate'?"
    )


def test_another_mix_is_a_folder(tmp_path: Path) -> None:
    keys = yaml.safe_load(DEMO.read_text())
    loaded = recipe.load(DEMO, ["seed=3"], "data/other")
    assert loaded.keys["datasets"] == [keys["datasets"][0] | {"path": "data/other/train.jsonl"}]
    assert loaded.overrides.keys() == {"seed", "datasets"} and loaded.keys["seed"] == 3


def test_make_hands_its_variables_over() -> None:
    words = [
        "make",
        "-n",
        "--no-print-directory",
        "train-demo-qlora",
        "RUN=r",
        "MIX=data/x",
        "GPUS=4",
        "NODES=2",
        "HEAD=h:1",
        "ARGS=--seed 1",
    ]
    said = (
        subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ").split()
    )
    start = said.index("train")
    assert said[start:] == [
        "train", "demo-qlora", "--run", "r", "--mix", "data/x", "--gpus", "4", "--nodes", "2", "--head", "h:1", "--seed", "1",
    ]  # fmt: skip
    named = subprocess.run(
        ["make", "--no-print-directory", "-n", "train-demo-qlora", "MIX=x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--run demo-qlora --mix data/x" in named.stdout


@pytest.mark.parametrize("value", ["2024-13-45", "{a", "[" * 3000])
def test_a_value_that_yaml_cannot_read_is_a_sentence(value: str) -> None:
    with pytest.raises(InputError, match="expected a YAML value"):
        recipe.parse_override(f"seed={value}")
