"""N processes that share a folder convert a mixture between them; merged it has the bytes of one process's."""

import os
import random
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from converters.cli import main
from converters.io.jsonl import sha256
from converters.mixture.convert import local, units
from converters.schema import MANIFEST
from tests.converters.mixture._plans import COMMAND, FILES, SIZE, built, plan

ROOT = Path(__file__).parents[3]


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


SBATCH = """#!/bin/bash
# Runs a job at once, as SLURM would: each task of an array, then those that depend on it.
echo "$@" >> jobs
export SLURM_JOB_ID=$(wc -l < jobs) SLURM_SUBMIT_DIR=$PWD SLURM_CPUS_PER_TASK=1
for word; do
  case $word in
    --export=ALL,*) export "${word#--export=ALL,}" ;;
    --array=1-*) export SLURM_ARRAY_TASK_COUNT=${word#--array=1-} ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
for SLURM_ARRAY_TASK_ID in $(seq ${SLURM_ARRAY_TASK_COUNT:-1}); do
  [ -z "$SLURM_ARRAY_TASK_COUNT" ] && unset SLURM_ARRAY_TASK_ID || export SLURM_ARRAY_TASK_ID
  bash "$@" >> said || exit 1
done
echo "$SLURM_JOB_ID;cluster"
"""


def test_the_slurm_script_builds_with_shards_in_two_rounds_and_merges_them(tmp_path: Path) -> None:
    path, script = plan(tmp_path, records=True), str(ROOT / "recipes" / "slurm" / "build.sh")
    program = f'#!/bin/bash\nexec {shlex.join(COMMAND[:-1])} "$@"\n'
    for name, text in ((".venv/bin/ecom-data", program), ("bin/sbatch", SBATCH)):
        tool = tmp_path / name
        tool.parent.mkdir(parents=True)
        tool.write_text(text)
        tool.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", script, *words]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = run("2", str(path), "mix", "--rejects")
    assert done.stdout == "submitted 1, 2 and 3, which merges them\n", done.stderr
    rounds = [line.partition("--parsable ")[2].split(f" {script} ")[0] for line in (tmp_path / "jobs").open()]
    assert rounds == ["--array=1-2", "--array=1-2 --dependency=afterok:1", "--dependency=afterok:2"]
    said = (tmp_path / "said").read_text()
    assert [said.count(f"shard {number}/2: converted") for number in (1, 2)] == [2, 2]
    assert said.count("run the same command again") == 1
    assert {name: sha256(tmp_path / "mix" / name) for name in FILES} == {
        name: digest for name, digest in built(path, tmp_path / "whole").items() if name in FILES
    }
    assert "found many shards" in run("many", str(path), "mix").stderr
    assert "SHARDS SPEC OUT" in run("2", str(path)).stderr and "SHARDS SPEC OUT" in run().stderr


@pytest.mark.parametrize("shard", ["", "0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_no_shard_is_a_sentence(shard: str, tmp_path: Path) -> None:
    result = shared(plan(tmp_path, 10), tmp_path / "mix", shard)
    assert result.exit_code == 1 and f"--shard {shard!r}: expected i/N" in result.output


@pytest.mark.parametrize("words", [("--engine", "ray"), ("--address", "10.0.0.1:6379")])
def test_a_shard_of_a_cluster_is_a_sentence(words: Sequence[str], tmp_path: Path) -> None:
    result = shared(plan(tmp_path, 10), tmp_path / "mix", "1/2", *words)
    assert result.exit_code == 1 and "--shard and --engine are two ways" in result.output


def test_shares_of_two_numbers_do_not_meet(tmp_path: Path) -> None:
    path, out, work = plan(tmp_path), tmp_path / "mix", tmp_path / ".mix.parts"
    work.mkdir()
    with FileLock(work / "share-1-of-3.lock"):
        assert "is being written by another process" in shared(path, out, "2/2").output
        assert not list(work.rglob("part.json"))
        assert shared(path, out, "2/3").exit_code == 0
    assert shared(path, out, "2/2").exit_code == 0


@pytest.mark.parametrize("words", [(), ("--shard", "1/2")])
def test_the_folder_that_a_command_runs_in_is_no_place_for_a_mixture(
    words: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = plan(tmp_path, 10), tmp_path / "mix"
    out.mkdir()
    monkeypatch.chdir(out)
    for told in (".: is not a mixture", ".: a mixture is put in its folder's place"):
        result = CliRunner().invoke(main, ["build", str(path), "--out", ".", *words])
        assert result.exit_code == 1 and told in result.output, result.output
        (out / MANIFEST).write_text("{}")
