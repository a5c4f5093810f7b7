"""The layout's own rules: few things at one level, short files, a docstring for every room, and imports that flow one way."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("converters", "eval", "recipes")
MODULES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
ROOMS = sorted({path.parent for path in MODULES})
UPWARD = {  # a module, and an import that its room may not have
    "converters/core/errors.py": "import converters.mixture.build",
    "eval/metrics/base.py": "import eval.scoring.score",
    "recipes/runner/records/layout.py": "import recipes.runner.training.train",
}


def test_files_are_short() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > 300} == {}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_holds_few_things_and_says_what_it_is_for(room: Path) -> None:
    if room.relative_to(ROOT).parts[0] != "recipes" or "runner" in room.parts:
        things = [path for path in room.iterdir() if path.suffix == ".py" or (path.is_dir() and path in ROOMS)]
        assert len([path for path in things if path.name != "__init__.py"]) <= 12
    if (room / "__init__.py").is_file():
        assert ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))


@pytest.mark.parametrize("module", UPWARD)
def test_an_import_that_runs_up_breaks_its_contract(module: str, tmp_path: Path) -> None:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{UPWARD[module]}\n")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    broken = re.findall(r"^(.*) BROKEN", done.stdout, re.MULTILINE)
    package = module.partition("/")[0].capitalize()
    assert done.returncode and any(name.startswith(f"{package}: ") for name in broken), done.stdout + done.stderr
