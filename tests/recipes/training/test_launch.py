"""How a training is started: the arguments for one GPU, several, several nodes, and inside a SLURM job."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from recipes.runner import recipe
from recipes.runner.capacity import hardware
from recipes.runner.preflight import check, machine
from recipes.runner.records import layout, provenance
from recipes.runner.training import launch, process
from recipes.runner.training.launch import Launch
from tests.recipes.conftest import ROOT, command

SCRIPT = ROOT / "recipes" / "slurm" / "train.sh"
ZERO = {"deepspeed": "recipes/deepspeed/zero3.json"}


@pytest.fixture(autouse=True)
def outside_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SLURM_")] + ["CUDA_VISIBLE_DEVICES"]:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("keys", "gpus", "found", "each", "launcher"),
    [
        ({}, None, 0, 1, "python"),
        ({}, None, 8, 1, "python"),
        ({}, 4, 8, 4, "torchrun"),
        (ZERO, None, 8, 8, "torchrun"),
        (ZERO, None, 1, 1, "torchrun"),
        ({"fsdp_config": {"a": 1}}, 2, 4, 2, "torchrun"),
    ],
)
def test_one_variable_says_how_many_gpus(
    keys: dict[str, Any], gpus: int | None, found: int, each: int, launcher: str
) -> None:
    planned = launch.plan(keys, gpus, 1, None, found)
    assert planned == Launch(each)
    words = launch.words(Path("runs/x/recipe.yaml"), keys, planned, ["--more=1"])
    assert words[:5] == ["train", "runs/x/recipe.yaml", "--more=1", "--launcher", launcher]
    assert words[5:] == (["--", "--standalone", f"--nproc-per-node={each}"] if launcher == "torchrun" else [])


def test_one_process_sees_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.visible(Launch(), {}) == {"CUDA_VISIBLE_DEVICES": "0"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    assert launch.visible(Launch(), {}) == {"CUDA_VISIBLE_DEVICES": "5"}
    assert launch.visible(Launch(), ZERO) == launch.visible(Launch(gpus=2), {}) == {}


def test_nodes_meet_at_the_head_or_in_a_slurm_job(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"NODES=2 needs HEAD=host:port of the first node"):
        launch.plan(ZERO, 4, 2, None, 4)
    by_hand = launch.plan(ZERO, 4, 2, "gpu1:29500", 4)
    meeting = ["--rdzv_backend=c10d", "--rdzv_endpoint=gpu1:29500"]
    assert launch.torchrun(by_hand, "big") == ["--nnodes=2", "--nproc-per-node=4", *meeting, "--rdzv_id=big"]
    assert launch.before(by_hand) == []
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    job = launch.plan(ZERO, 4, 2, None, 4)
    assert job.slurm == "77" and str(job.head).endswith(":29500") and launch.torchrun(job, "big")[-1] == "--rdzv_id=77"
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    words = ["srun", "--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    assert launch.before(job) == words
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "16")
    assert launch.before(job) == [*words, "--cpus-per-task=16"]
    monkeypatch.setenv("SLURM_JOB_ID", "78")
    assert launch.again(job).slurm == "78" and launch.again(by_hand) == by_hand


def test_more_gpus_than_there_are_is_a_sentence() -> None:
    with pytest.raises(InputError, match=r"GPUS=4: found 0 here, expected as many on every node"):
        launch.plan({}, 4, 1, None, 0)


def test_ray_starts_its_own_workers() -> None:
    keys = {"use_ray": True, "ray_num_workers": 4, **ZERO}
    assert launch.words(Path("r.yaml"), keys, Launch(4)) == ["train", "r.yaml", "--use-ray"]
    assert launch.plan(keys, None, 1, None, 1) == Launch(4) and "RAY_CHDIR_TO_TRIAL_DIR" in launch.visible(
        Launch(4), keys
    )


def test_ray_is_told_of_its_workers_by_the_recipe_alone() -> None:
    with pytest.raises(InputError, match=r"GPUS, NODES and HEAD do nothing under use_ray"):
        launch.plan({"use_ray": True}, 4, 1, None, 4)
    assert launch.plan({"use_ray": True, "ray_num_workers": "four"}, None, 1, None, 1) == Launch(
        1
    )  # the lint's to refuse
    loaded = recipe.load(recipe.find("mistral-full-zero3"), ["use_ray=true", "ray_num_workers=4"])
    assert check.machine(None, loaded).gpus == 4


def test_the_gpus_are_those_that_a_program_sees(
    nvidia_smi: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``nvidia-smi`` lists all four, whatever the variable says: torchrun would start a process for each."""
    nvidia_smi(*(f"{n}, GPU-{n}f00, NVIDIA L4, {23034 + n} MiB" for n in range(4)))
    assert len(hardware.gpus()) == 4 and launch.plan(ZERO, None, 1, None, len(hardware.gpus())).gpus == 4
    for variable, seen in (("0,1", [0, 1]), ("3,1", [3, 1]), ("GPU-2f", [2]), ("1,9,0", [1]), ("", []), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
        assert hardware.gpus() == [f"NVIDIA L4, {23034 + n} MiB" for n in seen], variable
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7c0e")  # a part of a card, by a UUID that is not among the cards'
    machine.require(recipe.load(recipe.find("mistral-qlora")))
    assert hardware.here(hardware.gpus()[0]) is None


def test_a_package_that_set_up_could_not_get_is_named(
    nvidia_smi: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_smi("0, GPU-1, NVIDIA L4, 23034 MiB")
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0")
    machine.require(recipe.load(recipe.find("mistral-qlora"), ["use_ray=true"]))
    monkeypatch.setitem(sys.modules, "ray", None)
    machine.require(recipe.load(recipe.find("mistral-qlora")))
    with pytest.raises(
        InputError, match=r'found use_ray, and no ray in this environment, expected it: .*-e "\.\[ray\]"'
    ):
        machine.require(recipe.load(recipe.find("mistral-qlora"), ["use_ray=true"]))


def test_a_build_of_pytorch_for_cpus_does_not_train_on_a_gpu(
    nvidia_smi: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment that was made on a machine without one, on a disk that both share."""
    nvidia_smi("0, GPU-1, NVIDIA L4, 23034 MiB")
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0+cpu")
    with pytest.raises(InputError, match="found an NVIDIA GPU and PyTorch's build for CPUs, expected the one for CUDA"):
        machine.require(recipe.load(recipe.find("mistral-qlora")))
    machine.require(recipe.load(recipe.find("demo-qlora")))


def test_an_old_card_of_this_machine_is_refused_as_one_that_was_named(
    nvidia_smi: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is in no table of ours, beside a newer one."""
    nvidia_smi("0, GPU-1, NVIDIA L4, 8.9", "1, GPU-2, Tesla V100-SXM2-16GB, 7.0")
    assert hardware.oldest() == ("Tesla V100-SXM2-16GB", "7.0")
    with pytest.raises(
        InputError, match=r"found bf16, and Tesla V100-SXM2-16GB of compute capability 7\.0; expected 8\.0"
    ):
        check.validate(recipe.load(recipe.find("qwen-small-qlora")), check.Machine(None, 1, False))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7c0e")
    assert hardware.oldest() is None


def test_axolotl_hands_the_arguments_to_torchrun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchrun on the path that prints what it gets: Axolotl's own launcher stands between it and us."""
    stand_in = tmp_path / "torchrun"
    stand_in.write_text('#!/bin/sh\necho "torchrun $*"\n')
    stand_in.chmod(0o755)
    config = tmp_path / "recipe.yaml"
    config.write_text("base_model: x\n")
    heard: list[bytes] = []
    words = launch.words(config, ZERO, Launch(gpus=2), ["--resume-from-checkpoint=c"])
    process.axolotl(
        words, tmp_path / "log", heard.append, variables={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    )
    (line,) = [line for line in b"".join(heard).decode().splitlines() if line.startswith("torchrun ")]
    assert line.split()[1:6] == ["--standalone", "--nproc-per-node=2", "-m", "axolotl.cli.train", str(config)]
    assert "--resume-from-checkpoint=c" in line


def test_a_further_node_joins_only_a_run_of_several(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    (run / "recipe.yaml").write_text("seed: 0\n")
    launched = {"gpus": 1, "nodes": 1, "head": None, "slurm": None}
    provenance.write(run, {"status": "started", "launch": launched})
    done = command(tmp_path, "ecom-train", "join", "one")
    assert done.returncode == 1 and "only a run of several nodes outside SLURM can be joined" in done.stderr


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A checkout whose ecom-train prints its arguments."""
    program = tmp_path / ".venv" / "bin" / "ecom-train"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    return tmp_path


def submitted(job: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    slurm = {"SLURM_SUBMIT_DIR": str(job), "SLURM_JOB_ID": "9", "SLURM_JOB_NUM_NODES": "2", "SLURM_GPUS_ON_NODE": "8"}
    environment = {"PATH": os.environ["PATH"], **slurm, **variables}
    return subprocess.run(["bash", str(SCRIPT), *words], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not shutil.which("flock"), reason="no flock, which clusters have")
def test_the_slurm_script_trains_and_after_a_requeue_resumes(job: Path) -> None:
    assert subprocess.run(["bash", "-n", str(SCRIPT)], check=False).returncode == 0
    first = submitted(job, "mistral-full-zero3", "big", "--learning-rate", "1e-5")
    assert first.stdout.strip() == "train mistral-full-zero3 --run big --nodes 2 --gpus 8 --learning-rate 1e-5", (
        first.stderr
    )
    (job / "runs" / "big").mkdir(parents=True)
    record = job / "runs" / "big" / "run.json"
    record.write_text('{\n  "status": "interrupted"\n}')
    saved = job / "runs" / "big" / "adapter" / "checkpoint-10" / "trainer_state.json"
    saved.parent.mkdir(parents=True)
    saved.touch()
    assert submitted(job, "mistral-full-zero3", "big").stdout.strip() == "resume big"
    saved.unlink()
    with layout.alone(record.parent):  # no checkpoint yet, and another job trains it
        busy = submitted(job, "mistral-full-zero3", "big")
    assert busy.returncode == 1 and "is being trained by another process" in busy.stderr and record.exists()
    # nothing to go on from: it begins anew, and what there was steps aside
    assert submitted(job, "mistral-full-zero3", "big").stdout.startswith("train mistral-full-zero3 --run big")
    (aside,) = (job / "runs").glob("big.*")
    assert (aside / "run.json").is_file() and not record.exists()
    record.parent.mkdir()
    record.write_text('{\n  "status": "trained"\n}')  # a run that ended is left for ecom-train to refuse
    assert submitted(job, "mistral-full-zero3", "big").stdout.strip() == "resume big" and record.exists()
    assert "RECIPE RUN" in submitted(job, "mistral-full-zero3").stderr
    without = submitted(job, "mistral-full-zero3", "other", SLURM_GPUS_ON_NODE="")
    assert without.returncode and "no GPUs in this job" in without.stderr


@pytest.mark.parametrize(("trap", "requeued"), [("", True), ("trap '' TERM", False)])
def test_a_job_asks_to_be_requeued_unless_its_training_ended_well(job: Path, trap: str, requeued: bool) -> None:
    program, started = job / ".venv" / "bin" / "ecom-train", job / "started"
    last = "exec sleep 60" if requeued else "sleep 1"
    program.write_text(f"#!/bin/sh\n{trap}\nsleep 0.3\ntouch {started}\n{last}\n")
    tool = job / "bin" / "scontrol"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" > {job / "asked"}\n')
    tool.chmod(0o755)
    environment = {"PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(job)}
    environment |= {"SLURM_JOB_ID": "9", "SLURM_GPUS_ON_NODE": "8"}
    with subprocess.Popen(["bash", str(SCRIPT), "mistral-qlora", "one"], env=environment) as script:
        while not started.exists():
            assert script.poll() is None
            time.sleep(0.01)
        script.terminate()
    assert (job / "asked").exists() == requeued
    assert not requeued or (job / "asked").read_text() == "requeue 9\n"
    assert requeued or script.returncode == 0
