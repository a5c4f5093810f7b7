"""What the README and the design promise of the house: the README's figures, names and commands are those of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from converters import sources
from recipes.runner import recipe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", sources.names())
def test_the_readme_lists_every_source_with_its_tasks(name: str) -> None:
    (line,) = (line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    assert line.split("|")[2].strip() == ", ".join(sources.get(name).TASKS)


@pytest.mark.parametrize("name", recipe.names())
def test_the_readme_lists_every_recipe(name: str) -> None:
    assert f"| `{name}` |" in README


def test_make_targets_and_files_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test", "data", "compare"} <= targets
    for target in targets:
        assert re.search(rf"^{target}(-%)?:", makefile, re.MULTILINE), target
    for path in re.findall(r"(?<![\w/])(?:eval|recipes|converters|tests)/[\w/.-]*\w\.\w+", README):
        if "mine" not in path and "shop" not in path:
            assert (ROOT / path).exists(), path


def test_the_readmes_dataset_is_one_when_its_files_are_in_place(tmp_path: Path) -> None:
    """Type the README's two files into a copy of the project; the tests over the registry must take them from there."""
    module, fixture = re.findall(r"`([\w/]+/mine\.\w+)`:\n\n```\w+\n(.*?)```", README, re.DOTALL)
    assert sum(bool(line.strip()) for line in (module[1] + fixture[1]).splitlines()) < 30
    for name in ("converters", "tests", "pyproject.toml"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path)
    for path, text in (module, fixture):
        assert not (tmp_path / path).exists()
        (tmp_path / path).write_text(text, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "tests/converters/test_registries.py", "-k", "mine"]
    run = [_run(command, tmp_path) for _ in range(2)]
    assert "mine.txt was missing and has been written" in run[0].stdout, run[0].stdout[-2000:]
    assert run[1].returncode == 0 and re.search(r"\b2 passed", run[1].stdout), run[1].stdout[-2000:]
    assert "Holds tea & keeps it hot." in (tmp_path / "tests" / "golden" / "mine.txt").read_text("utf-8")


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
