"""How a training is started: on one GPU or the CPU in one process, on several through torchrun, on several nodes through srun.

``GPUS`` and ``NODES`` are the only settings. Inside a SLURM job of several nodes ``srun`` starts one torchrun a node; elsewhere
``ecom-train join`` does it on each further node, and the nodes find each other at ``HEAD``, a port of the first one.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from recipes.runner.recipe import ON_CPU, divides, usual

PORT = 29500  # torchrun's own


@dataclass(frozen=True, slots=True)
class Launch:
    """GPUs a node, nodes, and ``host:port`` of the first node; ``slurm`` is the number of the job, if in one."""

    gpus: int = 1
    nodes: int = 1
    head: str | None = None
    slurm: str | None = None


def plan(keys: Mapping[str, Any], gpus: int | None, nodes: int, head: str | None, available: int) -> Launch:
    """Return the launch of a recipe on a machine with ``available`` GPUs; what it does not have is an ``InputError``.

    Without a number of GPUs, a recipe that divides the model takes all and any other takes one. Ray has its own workers.
    """
    if keys.get("use_ray"):
        if gpus or nodes > 1 or head:
            raise InputError("GPUS, NODES and HEAD do nothing under use_ray: set ray_num_workers, and Ray places them")
        return Launch(usual(keys, available))
    if gpus is not None and gpus > max(available, 1):
        raise InputError(f"GPUS={gpus}: found {available} here, expected as many on every node")
    slurm = os.environ.get("SLURM_JOB_ID") if nodes > 1 else None
    if nodes > 1 and not (head or slurm):
        raise InputError(f"NODES={nodes} needs HEAD=host:port of the first node, or a SLURM job")
    each = gpus or (max(1, available) if nodes > 1 else usual(keys, available))
    return Launch(each, nodes, head or (_own_head() if slurm else None), slurm)


def _own_head() -> str:
    return f"{socket.gethostname()}:{PORT}"


def again(launched: Launch) -> Launch:
    """Return the launch of a resumed run: a SLURM job of several nodes starts on other nodes than the one before."""
    if not launched.slurm:
        return launched
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        raise InputError(f"not inside a SLURM job: resume in one of {launched.nodes} nodes, as the run began")
    return replace(launched, slurm=job, head=_own_head())


def words(config: Path, keys: Mapping[str, Any], launch: Launch, more: Sequence[str] = ()) -> list[str]:
    """Return the arguments of ``axolotl`` that train ``config``.

    >>> words(Path("r.yaml"), {}, Launch())
    ['train', 'r.yaml', '--launcher', 'python']
    >>> words(Path("r.yaml"), {}, Launch(gpus=4))
    ['train', 'r.yaml', '--launcher', 'torchrun', '--', '--standalone', '--nproc-per-node=4']
    """
    start = ["train", str(config), *more]
    if keys.get("use_ray"):
        return [*start, "--use-ray"]
    if launch.gpus == launch.nodes == 1 and not divides(keys):
        return [*start, "--launcher", "python"]
    return [*start, "--launcher", "torchrun", "--", *torchrun(launch, config.parent.name)]


def torchrun(launch: Launch, run: str) -> list[str]:
    """Return torchrun's own arguments; the nodes of a run find each other by its name.

    >>> torchrun(Launch(gpus=8, nodes=2, head="gpu1:29500"), "mine")[2:]
    ['--rdzv_backend=c10d', '--rdzv_endpoint=gpu1:29500', '--rdzv_id=mine']
    """
    each = f"--nproc-per-node={launch.gpus}"
    if launch.nodes == 1:
        return ["--standalone", each]
    meeting = {"backend": "c10d", "endpoint": launch.head, "id": launch.slurm or run}
    return [f"--nnodes={launch.nodes}", each, *(f"--rdzv_{key}={value}" for key, value in meeting.items())]


def before(launch: Launch) -> list[str]:
    """Return the words before the command: ``srun``, one task a node, in a SLURM job of several nodes.

    Since 22.05 srun does not inherit the job's processors for each task (slurm.schedmd.com/srun.html): it is told them again.
    """
    if not launch.slurm:
        return []
    processors = os.environ.get("SLURM_CPUS_PER_TASK")
    words = ["srun", f"--nodes={launch.nodes}", f"--ntasks={launch.nodes}", "--ntasks-per-node=1"]
    return [*words, "--kill-on-bad-exit=1", *([f"--cpus-per-task={processors}"] if processors else [])]


def visible(launch: Launch, keys: Mapping[str, Any]) -> dict[str, str]:
    """Return the variable that shows one process one GPU: with more visible the trainer would copy the model to all.

    Ray gets one that keeps its workers in this folder.
    """
    if keys.get("use_ray"):
        return {"RAY_CHDIR_TO_TRIAL_DIR": "0"}  # a recipe's paths count from here
    if launch.gpus > 1 or launch.nodes > 1 or divides(keys):
        return {}
    return {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]}


def threads(keys: Mapping[str, Any]) -> dict[str, str]:
    """Return the variable that gives a training every core, if its recipe names the plugin for CPUs and the user set none."""
    if ON_CPU not in (keys.get("plugins") or ()) or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(os.cpu_count() or 1)}
