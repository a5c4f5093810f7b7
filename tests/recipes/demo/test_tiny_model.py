"""The demo's base model and its chain of stages."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from converters import tasks
from converters.core.errors import InputError
from converters.io.jsonl import sha256
from recipes.runner.demo import pipeline, tiny_model
from recipes.runner.records.layout import alone
from tests.recipes.conftest import ROOT, small_mix


def test_the_base_is_the_same_for_the_same_seed_and_small(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    data = small_mix(tmp_path)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        tiny_model.build(data, tmp_path / name, seed)
    assert sha256(tmp_path / "a" / "model.safetensors") == sha256(tmp_path / "b" / "model.safetensors")
    assert sha256(tmp_path / "a" / "tokenizer.json") == sha256(tmp_path / "b" / "tokenizer.json")
    assert sha256(tmp_path / "a" / "model.safetensors") != sha256(tmp_path / "c" / "model.safetensors")
    model, tokenizer = (kind.from_pretrained(tmp_path / "a") for kind in (AutoModelForCausalLM, AutoTokenizer))
    assert model.config.architectures == ["MistralForCausalLM"] and model.num_parameters() < 1_000_000
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "12.5 L 红 ☕"}], tokenize=True, return_dict=False)
    assert tokenizer.convert_ids_to_tokens(ids)[:4] == ["<s>", "[INST]", "1", "2"]
    assert tokenizer.decode(ids) == "<s>[INST]12.5 L 红 ☕[/INST]"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pipeline.Stage:
    """A stage that converts one file with the project's own command."""
    monkeypatch.chdir(tmp_path)
    Path("raw.jsonl").write_text('{"instruction": "Say 1.", "output": "1"}\n')
    words = ("ecom-data", "convert", "general", "raw.jsonl", "--out", "out.jsonl")
    return pipeline.Stage("one stage", words, ("raw.jsonl",), (tasks,), ("out.jsonl",))


def test_a_stage_is_done_again_only_when_something_changed(stage: pipeline.Stage) -> None:
    assert not pipeline.fresh(stage)
    pipeline.run(stage)
    assert pipeline.fresh(stage)
    Path("raw.jsonl").write_text('{"instruction": "Say 2.", "output": "2"}\n')
    assert not pipeline.fresh(stage)
    pipeline.run(stage)
    assert pipeline.fresh(stage) and '"2"' in Path("out.jsonl").read_text()
    Path("out.jsonl").unlink()
    assert not pipeline.fresh(stage)


def test_a_stage_that_fails_stops_the_demo_and_is_not_done(stage: pipeline.Stage) -> None:
    Path("raw.jsonl").write_text("")
    with pytest.raises(InputError, match="the demo stopped at 'one stage'"):
        pipeline.run(stage)
    assert not pipeline.fresh(stage)


# Pretend that every stage is done, then print those that an edit made stale: with the code of a copy of this project.
DONE = """
from pathlib import Path
import sys
from recipes.runner.demo import pipeline as demo
for stage in demo.stages(demo.TINY, 0):
    if sys.argv[1:]:
        for name in (*stage.inputs, *stage.outputs):
            place = Path(name)
            if not place.suffix:
                place = place / "file"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
for stage in demo.stages(demo.TINY, 0):
    if sys.argv[1:]:
        demo.write_json(demo.stamp(stage), demo.fingerprint(stage))
    elif not demo.fresh(stage):
        print(stage.name)
"""


def stale(project: Path, work: Path, *done: str) -> list[str]:
    command = [sys.executable, "-c", DONE, *done]
    variables = os.environ | {"PYTHONPATH": str(project)}
    return subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[:-1]


def test_an_edit_makes_the_stages_stale_that_run_the_edited_code(tmp_path: Path) -> None:
    for room in ("converters", "eval", "recipes"):
        shutil.copytree(ROOT / room, tmp_path / "project" / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "work").mkdir()
    places = [next((tmp_path / "project").rglob(name)) for name in ("parquet.py", "card.html.j2", "sam.py")]
    scored = {"score demo-base", "score demo-qlora", "compare", "calibrate", "label new products"}
    for place, expected in zip(places, ({"mix", *scored}, {"mix", *scored}, {"train"}), strict=True):
        stale(tmp_path / "project", tmp_path / "work", "done")
        assert stale(tmp_path / "project", tmp_path / "work") == []
        with place.open("a") as file:
            file.write("\n")
        assert set(stale(tmp_path / "project", tmp_path / "work")) == expected, place


def test_an_earlier_run_steps_aside(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "made").write_text(str(number))
        pipeline.step_aside(tmp_path / "run")
    assert [(tmp_path / f"run.{number}" / "made").read_text() for number in (1, 2)] == ["0", "1"]
    with alone(tmp_path / "run.1"), pytest.raises(InputError, match="is being trained by another process"):
        pipeline.step_aside(tmp_path / "run.1")


@pytest.mark.parametrize("demo", [pipeline.TINY, pipeline.REAL], ids=lambda demo: demo.name)
def test_the_stages_follow_each_other(demo: pipeline.Demo) -> None:
    """What a stage reads is there from the start or left by an earlier one, and the seed is in every command that draws."""
    left = {f"recipes/mixes/{demo.name}.yaml", f"recipes/{demo.recipe}.yaml"}
    assert all((ROOT / path).is_file() for path in left)
    for stage in pipeline.stages(demo, 7):
        for name in stage.inputs:
            assert any(name == path or path.startswith(f"{name}/") or name.startswith(f"{path}/") for path in left) or (
                Path(name).parent.as_posix() in {Path(path).parent.as_posix() for path in left}
            ), (stage.name, name)
        left |= set(stage.outputs)
    seeded = [stage.name for stage in pipeline.stages(demo, 7) if "7" in " ".join(stage.command)]
    assert seeded == ["raw files", "mix", *(["base model"] if demo is pipeline.TINY else []), "train"]


def test_the_demo_is_scored_and_calibrated_as_make_does_it() -> None:
    """So that a run of one's own can be compared with the demo's."""
    printed = {
        target: subprocess.run(
            ["make", "--no-print-directory", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for target, words in (("eval", ["eval-mine"]), ("calibrate", ["calibrate", "RUN=mine"]))
    }
    for stage in pipeline.stages(pipeline.TINY, 0):
        kind, target = stage.name.split()[0], "calibrate" if "confidence" in " ".join(stage.command) else "eval"
        if kind in ("predict", "score", "calibrate"):
            (line,) = re.findall(rf"ecom-eval {kind} ((?:.|\\\n)*?)(?:&&|\|\||$)", printed[target])
            flags = {word for word in stage.command if word.startswith("--")} - {"--batch-size"}
            assert flags == set(re.findall(r"--\S+", line)), stage.name
