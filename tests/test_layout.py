"""What the README and the design promise of the house: the README's figures, names and commands are those of the repository."""

import re
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
