"""A run whose recipe names our code as it lay before is listed, verified, resumed, merged and evaluated as any other."""

import shutil
import sys
from pathlib import Path

import pytest

from converters.io.jsonl import sha256
from recipes.runner.records import layout, provenance, verify
from recipes.runner.training import merge, train
from tests.recipes.conftest import WHOLE, command

pytestmark = pytest.mark.slow

OLD_NAMES = {train.PLUGIN: "recipes.runner.plugin.RunPlugin", WHOLE: "recipes.runner.whole_answer"}
LATER = ("adapter_sha256", "merged_sha256", "merge", "steps", "finished", "template_sha256")  # keys of a run that ended


@pytest.fixture
def interrupted(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The finished run as it was after its second checkpoint, made by the layout before this one."""
    folder = tmp_path / "place"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    run = Path("runs/tiny")
    for path in (run / layout.RECIPE, Path("tiny.yaml")):
        text = path.read_text("utf-8")
        for new, old in OLD_NAMES.items():
            text = text.replace(new, old)
        path.write_text(text, "utf-8")
    for name in (layout.ADAPTER, layout.MERGED):
        shutil.rmtree(run / name)
    (run / layout.ADAPTER).mkdir()
    (run / layout.CHECKPOINTS / "checkpoint-8").rename(run / layout.ADAPTER / "checkpoint-8")
    shutil.rmtree(run / layout.CHECKPOINTS)
    record = {key: value for key, value in provenance.read(run).items() if key not in LATER}
    hashes = {"sha256": sha256(Path("tiny.yaml")), "resolved_sha256": sha256(run / layout.RECIPE)}
    provenance.write(run, record | {"status": "interrupted", "recipe": record["recipe"] | hashes})
    return run


def states(run: Path) -> dict[str, str]:
    """Return the state of each link by its name, of several links of one name the last."""
    return {link.name: link.state for link in verify.verify(run)}


def test_a_run_of_the_old_layout_goes_on_to_its_scores(interrupted: Path, finished: Path) -> None:
    run, folder = interrupted, Path.cwd()
    recipe = (run / layout.RECIPE).read_text("utf-8")
    assert all(old in recipe and new not in recipe for new, old in OLD_NAMES.items())
    assert verify.BROKEN not in states(run).values()

    train.resume(run, sys.stdout.buffer.write)
    weights = Path("adapter", "adapter_model.safetensors")
    assert (run / weights).read_bytes() == (finished / "runs" / "tiny" / weights).read_bytes()
    assert (run / layout.RECIPE).read_text("utf-8") == recipe

    merge.merge(run, sys.stdout.buffer.write)
    data, out = ("--data", "data/mix/test.jsonl"), ("--out", "runs/tiny/eval")
    checkpoint = ("--checkpoint", "runs/tiny/merged", "--max-new-tokens", "4")
    for words in (("predict", *checkpoint), ("score", "--predictions", "runs/tiny/eval/predictions.jsonl")):
        done = command(folder, "ecom-eval", *words, *data, *out)
        assert done.returncode == 0, done.stderr

    links = states(run)
    assert verify.BROKEN not in links.values()
    names = ("record", "recipe", "recipe as it ran", "adapter", "merged", "predictions' checkpoint", "scores", "report")
    assert {name: links[name] for name in names} == dict.fromkeys(names, verify.HOLDS)
    (line,) = [
        line for line in command(folder, "ecom-eval", "runs").stdout.splitlines() if line.split()[:1] == ["tiny"]
    ]
    assert "merged" in line
