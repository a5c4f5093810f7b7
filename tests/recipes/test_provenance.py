"""What a checkout has over its commit: a patch that makes it again."""

import subprocess
from pathlib import Path

from recipes.runner import provenance


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_the_patch_makes_the_checkout_again(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    git(tmp_path, "init", "-q", "here")
    (here / ".gitignore").write_text("/data/\n")
    (here / "old.py").write_text("a = 1\n")
    git(here, "add", ".")
    git(here, "commit", "-qm", "first")
    git(tmp_path, "clone", "-q", "here", "there")
    for setting, value in {"diff.external": "echo", "diff.noprefix": "true", "color.ui": "always"}.items():
        git(here, "config", setting, value)
    assert provenance.changes(here) == b""
    (here / "old.py").write_text("a = 2\n")
    (here / "new é.py").write_text("b = 3\n")
    (here / "data").mkdir()
    (here / "data" / "rows.jsonl").write_text("{}\n")
    (here / "catalogue.csv").write_bytes(b"x" * provenance.LARGE)
    (tmp_path / "patch").write_bytes(provenance.changes(here))
    git(there, "apply", str(tmp_path / "patch"))
    assert (there / "old.py").read_text() == "a = 2\n" and (there / "new é.py").read_text() == "b = 3\n"
    assert not (there / "data").exists() and not (there / "catalogue.csv").exists()


def test_outside_a_checkout_there_are_no_changes(tmp_path: Path) -> None:
    assert provenance.changes(tmp_path) == b""
