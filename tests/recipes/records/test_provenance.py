"""What a checkout has over its commit: a patch that makes it again; a record that is none."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from converters.core.errors import InputError
from recipes.runner.cli import main
from recipes.runner.records import layout, provenance


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # a hook's repository
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, env=outside)


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


def test_a_record_that_was_edited_is_not_sealed_anew(tmp_path: Path) -> None:
    provenance.write(tmp_path, {"status": "started", "rows": {}})
    provenance.update(tmp_path, status="trained")
    record = tmp_path / layout.RECORD
    edited = record.read_text().replace("trained", "merged")
    record.write_text(edited)
    with pytest.raises(InputError, match=r"run\.json: was edited by hand"):
        provenance.update(tmp_path, finished="now")
    assert record.read_text() == edited


@pytest.mark.parametrize("words", [("merge",), ("resume",)])
def test_a_record_without_what_a_command_needs_is_a_sentence(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "runs" / "odd").mkdir(parents=True)
    (tmp_path / "runs" / "odd" / "run.json").write_text('{"status": "trained"}')
    with contextlib.chdir(tmp_path):
        done = CliRunner().invoke(main, [*words, "odd"])
    assert done.exit_code == 1 and done.stderr.startswith("error: runs/odd/run.json: was edited by hand")


@pytest.mark.parametrize("text", ["{}", "[]", "7"])
@pytest.mark.parametrize("words", [("merge",), ("resume",), ("verify",), ("mix",), ("export", "--format", "fp8")])
def test_a_record_that_is_none_is_a_sentence(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "runs" / "odd").mkdir(parents=True)
    (tmp_path / "runs" / "odd" / "run.json").write_text(text)
    with contextlib.chdir(tmp_path):
        done = CliRunner().invoke(main, [words[0], "odd", *words[1:]])
    wrong = "has no status, expected" if text == "{}" else f"found b'{text}', expected JSON"
    assert done.exit_code == 1 and done.stderr.startswith(f"error: runs/odd/run.json: {wrong}")
