"""The build before the work on speed, kept as a wheel in ``.cache``: the other side of each ratio that ``make bench`` prints.

It is made once, from this repository's history: ``python -m tests.bench.before``.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

ROOT = Path(__file__).parents[2]
BEFORE = "dfaded60ed86a38eafb9f73e4aceaf1a79965863"  # the last commit before the work on speed


class Took(NamedTuple):
    """What a command took: wall and processor seconds, of its child processes too, and the most memory of one, in MiB."""

    wall: float
    processor: float
    memory: int


def tree(commit: str = BEFORE) -> Path:
    """Return the files of a commit, taken from the history where they are not there yet."""
    folder = ROOT / ".cache" / "before" / commit[:7] / "tree"
    if not folder.is_dir():
        half = folder.with_name("half")
        half.mkdir(parents=True, exist_ok=True)
        archive = subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", str(half)], stdin=archive.stdout, check=True)
        if archive.wait():
            raise SystemExit(f"{commit[:7]} is not in the history: git fetch --unshallow")
        half.rename(folder)
    return folder


def site(commit: str = BEFORE) -> Path:
    """Return a folder with the packages of a commit, installed from its wheel, which is built where it is not there yet."""
    folder = tree(commit).with_name("site")
    if not folder.is_dir():
        python = f"--python={sys.executable}"
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "build", "--quiet", "--wheel", python, "--out-dir", ".."], cwd=tree(commit), check=True)
        [wheel] = folder.parent.glob("*.whl")
        half = folder.with_name("half")
        subprocess.run([uv, "pip", "install", "--quiet", python, "--no-deps", "--target", half, wheel], check=True)
        half.rename(folder)
    return folder


def environment(commit: str | None) -> dict[str, str]:
    """Return the variables under which imports are of a commit's build, or of this checkout."""
    return os.environ | {"PYTHONPATH": str(site(commit) if commit else ROOT), "PYTHONSAFEPATH": "1"}


def took(
    package: Literal["converters", "eval", "recipes.runner"],
    *arguments: str | Path,
    commit: str | None = None,
    cwd: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Took:
    """Run a package's command line, of a commit's build or of this checkout, and return what it took."""
    command = [sys.executable, "-c", f"from {package}.cli import main; main()", *map(str, arguments)]
    said = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, cwd=cwd,
        env=environment(commit) | dict(more or {}),
    )  # fmt: skip
    if said.returncode:
        raise SystemExit(f"{package} {' '.join(command[3:])}: ended with {said.returncode}: {said.stderr[-2000:]}")
    wall, processor, memory = said.stdout.split()[-3:]
    return Took(float(wall), float(processor), int(memory))


# What a command leaves behind, as the server of its workers that ends with it, becomes a child of the process that measures.
_MEASURE = """
import contextlib, ctypes, os, resource, subprocess, sys, time
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
start = time.perf_counter()
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
wall = time.perf_counter() - start
with contextlib.suppress(ChildProcessError):
    while True:
        os.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)
sys.exit(ended.returncode)
"""


if __name__ == "__main__":
    sys.stdout.write(f"{site()}\n")
