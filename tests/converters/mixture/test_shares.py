"""N processes that share a folder convert a mixture between them; merged it has the bytes of one process's."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from converters.cli import main
from converters.mixture.convert import local, units
from tests.converters.mixture._plans import COMMAND, SIZE, built, plan


@pytest.fixture(autouse=True)
def sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share the rows of small files, too."""
    monkeypatch.setattr(local, "SMALL", SIZE)
    monkeypatch.setattr(units, "SIZE", SIZE)


def shared(path: Path, out: Path, shard: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["build", str(path), "--out", str(out), "--shard", shard, *words])


def test_shards_merge_to_the_bytes_of_one_process(tmp_path: Path) -> None:
    path = plan(tmp_path, records=True)
    expected = built(path, tmp_path / "whole")
    out = tmp_path / "mix"
    said = [shared(path, out, f"{number}/3") for number in (2, 1, 3, 2, 1)]
    assert [result.exit_code for result in said] == [0] * 5
    assert ["run the same command again" in result.output for result in said] == [True, True, False, False, False]
    made = list(tmp_path.glob(".mix.parts/**/part.json"))
    assert len(made) > 8 and not out.exists()
    assert not list(tmp_path.glob(".mix.parts/**/.half-*"))
    result = CliRunner().invoke(main, ["build", str(path), "--out", str(out), "--rejects"])
    assert result.exit_code == 0 and "its rows are converted" not in result.output, result.output
    assert built(path, tmp_path / "again", "--workers", "2") == expected
    assert built(path, out) == expected


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "shard 2/2 is missing: its rows are converted here"),
        (("--seed", "1"), "shard 1/2 was made with another seed: its rows are converted again"),
        (("--set", "splits={test: 0.1}"), ""),  # which shapes no shard
    ],
)
def test_a_missing_shard_and_one_of_another_seed_are_told_and_made_up_for(
    words: Sequence[str], reason: str, tmp_path: Path
) -> None:
    path, out = plan(tmp_path, records=True), tmp_path / "mix"
    assert shared(path, out, "1/2", *words).exit_code == 0
    result = CliRunner().invoke(main, ["build", str(path), "--out", str(out), "--rejects"])
    assert reason in result.output and result.exit_code == 0
    assert built(path, out) == built(path, tmp_path / "whole")


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    path, out = plan(tmp_path), tmp_path / "mix"
    for shard in ("1/2", "2/2"):
        assert shared(path, out, shard).exit_code == 0
    chat = tmp_path / "chat.jsonl"
    chat.write_text(chat.read_text().replace("Write", "Tell"))
    result = CliRunner().invoke(main, ["build", str(path), "--out", str(out), "--rejects"])
    assert "shard 2/2 was made with another input: its rows are converted again" in result.output
    assert built(path, out) == built(path, tmp_path / "whole")


def test_shards_that_were_killed_go_on(tmp_path: Path) -> None:
    path, draw = plan(tmp_path, 3000, records=True), random.Random(2)
    expected = built(path, tmp_path / "whole")
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        out = tmp_path / f"mix{number}"
        command = [*COMMAND, str(path), "--out", str(out), "--shard", "1/2", "--workers", "2"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        while process.poll() is None and not list(tmp_path.glob(f".{out.name}.parts/*/part.json")):
            time.sleep(0.02)
        time.sleep(draw.random() / 10)
        os.killpg(process.pid, number)
        assert b"Traceback" not in process.communicate()[0]
        for shard in ("1/2", "2/2"):
            assert shared(path, out, shard).exit_code == 0
        assert built(path, out) == expected


def test_who_merges_and_who_converts_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out, work = plan(tmp_path), tmp_path / "mix", tmp_path / ".mix.parts"
    work.mkdir()
    monkeypatch.setattr("converters.mixture.convert.shares.PATIENCE", 0.1)
    busy = "is being written by another process"
    for lock, shard, other in [("lock", "1/2", ""), ("share-1-of-2.lock", "1/2", "2/2")]:
        with FileLock(work / lock):
            assert busy in shared(path, out, shard).output
            if other:
                assert shared(path, out, other).exit_code == 0
            merging = CliRunner().invoke(main, ["build", str(path), "--out", str(out)])
            assert merging.exit_code == 1 and busy in merging.output


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_no_shard_is_a_sentence(shard: str, tmp_path: Path) -> None:
    result = shared(plan(tmp_path, 10), tmp_path / "mix", shard)
    assert result.exit_code == 1 and f"--shard {shard!r}: expected i/N" in result.output
