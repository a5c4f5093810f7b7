"""The task files for clouds: the make targets and paths that they name exist, and SkyPilot and dstack take them.

Their packages are no part of the environment: ``make test-cloud`` installs each in a folder of its own, where ``CLOUD`` points.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.runner import recipe

ROOT = Path(__file__).resolve().parents[2]
CLOUD = ROOT / "recipes" / "cloud"
FILES = sorted(CLOUD.glob("*/*.yaml"))
TAKEN = {
    "skypilot": "import sky; take = lambda tree: sky.Task.from_yaml_config(tree, env_overrides=[('HF_TOKEN', 'x')]).name",
    "dstack": "from dstack._internal.core.models.configurations import parse_apply_configuration as parse; "
    "take = lambda tree: parse(tree).name",
}
EACH = """
import json, sys, yaml
said = []
for text in json.load(sys.stdin):
    try:
        said.append(take(yaml.safe_load(text)))
    except Exception as error:
        said.append(f"refused: {error}")
print(json.dumps(said))
"""
MISSPELT = {
    "resources:": "resuorces:",
    "\n  accelerators:": "\n  acelerators:",
    "\n  gpu:": "\n  gpu_s:",
    "\nenv": "\nenvv",
}


def commands(path: Path) -> str:
    """Return the shell commands of a task file."""
    tree: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return "\n".join([*tree.get("commands", ()), tree.get("setup", ""), tree.get("run", "")])


def test_every_task_is_there_for_both() -> None:
    assert [str(path.relative_to(CLOUD)) for path in FILES] == [
        f"{cloud}/{task}.yaml" for cloud in ("dstack", "skypilot") for task in ("data", "eval", "train")
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join(path.parts[-2:]))
def test_targets_and_paths_exist_and_the_header_says_how_and_that_nobody_ran_it(path: Path) -> None:
    text = path.read_text("utf-8")
    header = text[: text.index("\n", text.rindex("\n# ") + 1)]
    assert "Never run by us" in header and "make test-cloud" in header
    for named in re.findall(r"recipes/[\w/.-]+\.yaml", header):
        assert (ROOT / named).is_file(), named
    assert str(path.relative_to(ROOT)) in header
    targets = set(re.findall(r"^([\w%-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    called = re.findall(r"make ([\w-]+)", commands(path))
    assert called and {f"{name}%" if name.endswith("-") else name for name in called} <= targets
    for name in re.findall(r"(?:RECIPE|MIX)[:=] ?([\w-]+)", text):
        assert name in recipe.names() or (ROOT / "recipes" / "mixes" / f"{name}.yaml").is_file(), name
    done = subprocess.run(["bash", "-n"], input=commands(path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif("CLOUD" not in os.environ, reason="make test-cloud installs what takes them")
@pytest.mark.parametrize("cloud", TAKEN)
def test_their_own_packages_take_them_and_no_misspelt_key(cloud: str, tmp_path: Path) -> None:
    python = Path(os.environ["CLOUD"]).absolute() / cloud / "bin" / "python"
    (tmp_path / "data" / "raw").mkdir(parents=True)  # SkyPilot looks for what it would copy
    right = [path.read_text("utf-8") for path in FILES if path.parent.name == cloud]
    wrong = [
        (text.replace(key, bad, 1), bad.strip(" \n:")) for text in right for key, bad in MISSPELT.items() if key in text
    ]
    done = subprocess.run(
        [python, "-c", f"{TAKEN[cloud]}\n{EACH}"],
        input=json.dumps([*right, *(text for text, _ in wrong)]),
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said[: len(right)] == ["ecom-data", "ecom-eval", "ecom-train"]
    assert len(wrong) >= 6
    for answer, (_, key) in zip(said[len(right) :], wrong, strict=True):
        assert answer.startswith("refused: ") and key in answer, answer


@pytest.mark.skipif("CLOUD" not in os.environ, reason="make test-cloud installs what takes them")
def test_the_header_names_the_setting_with_which_dstack_takes_the_checkout() -> None:
    header = (CLOUD / "dstack" / "data.yaml").read_text("utf-8")
    [(name, value)] = re.findall(r"started with (\w+)=(\d+)", header)
    read = "from dstack._internal.server.settings import SERVER_CODE_UPLOAD_LIMIT as limit; print(limit)"
    python = Path(os.environ["CLOUD"]).absolute() / "dstack" / "bin" / "python"

    def limit(**more: str) -> int:
        environment = {key: text for key, text in os.environ.items() if key != name} | more
        return int(subprocess.run([python, "-c", read], env=environment, capture_output=True, check=True).stdout)

    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert limit() < sum((ROOT / file).stat().st_size for file in files.split("\0") if (ROOT / file).is_file())
    assert limit(**{name: value}) == 0  # which is none
