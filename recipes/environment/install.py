"""Makes ``.venv`` with everything that was tested together. Run by ``make setup`` with nothing but Python installed.

uv does it in seconds; where uv cannot be had, pip does the same in minutes. PyTorch comes as the CPU build on a machine without
an NVIDIA GPU and as the CUDA build on one with it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"
STAMP = VENV / "ready"
EXTRAS = "train,score,endpoint,constrain,dev"
TORCH = "torch==2.13.0"
UV = "uv==0.13.9"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEEDED = "import axolotl, bert_score, bitsandbytes, click, converters, eval, msgspec, openai, pytest, recipes, rouge_score, torch"
CHECK = f"import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in '{NEEDED[7:]}'.split(', ')))"


def main() -> None:
    """Make or repair the environment; say nothing and do nothing when it is ready."""
    if sys.version_info < (3, 11):  # noqa: UP036 - a user may well start it with an older one
        sys.exit(
            f"error: this is Python {sys.version.split()[0]}, expected 3.11 or newer: make setup PYTHON=python3.12"
        )
    if ready():
        return
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"error: set-up stopped at '{' '.join(map(str, error.cmd[:6]))} ...' (above it says why); run it again to go on"
        )
    except KeyboardInterrupt:
        sys.exit("error: set-up was interrupted; run it again to go on")


def ready() -> bool:
    """Tell whether the environment is the one this checkout asks for and still works."""
    return STAMP.is_file() and STAMP.read_text() == fingerprint() and works(CHECK)


def works(code: str) -> bool:
    """Tell whether the environment's Python runs ``code``."""
    try:
        return subprocess.run([PYTHON, "-c", code], capture_output=True, check=False, cwd=ROOT).returncode == 0
    except OSError:
        return False


def fingerprint() -> str:
    """Return what the environment depends on: the pins, the project's dependencies, the place, the kind of PyTorch."""
    parts = (
        CONSTRAINTS.read_bytes(),
        (ROOT / "pyproject.toml").read_bytes(),
        str(ROOT).encode(),
        str(has_gpu()).encode(),
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def has_gpu() -> bool:
    """Tell whether an NVIDIA GPU is at hand."""
    tool = shutil.which("nvidia-smi")
    return bool(tool) and subprocess.run([str(tool), "-L"], capture_output=True, check=False).stdout.startswith(b"GPU")


def install() -> None:
    """Install PyTorch for this machine, then the project with its extras, all under the constraints."""
    start = time.monotonic()
    if not works("import pip"):
        print(f"set-up: a new environment in {VENV.name}", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", VENV])
    installer = bootstrap()
    run([*installer, *links(), "-c", CONSTRAINTS, *torch_source(installer), TORCH])
    run([*installer, *links(), "-c", CONSTRAINTS, "-e", f"{ROOT}[{EXTRAS}]"])
    if has_gpu():
        add_gpu_packages(installer)
    STAMP.write_text(fingerprint())
    print(f"set-up: done in {time.monotonic() - start:.0f} s", flush=True)


def bootstrap() -> list[str | Path]:
    """Return the install command: uv from inside the environment, or pip when uv cannot be had."""
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
    if os.environ.get("INSTALLER") != "pip" and subprocess.run([*pip, "-q", UV], check=False).returncode == 0:
        return [BIN / "uv", "pip", "install", "--python", PYTHON]
    print("set-up: without uv, by pip; this takes some minutes", flush=True)
    return pip


def links() -> list[str]:
    """Return the local wheel folders that pip is configured with; uv does not read pip's configuration."""
    lines = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    found = [line.partition("=")[2].strip("'\" ") for line in lines.splitlines() if ".find-links=" in line]
    return [word for folder in dict.fromkeys(" ".join(found).split()) for word in ("--find-links", folder)]


def torch_source(installer: Sequence[str | Path]) -> list[str]:
    """Return where PyTorch comes from: PyPI's CUDA build, or the CPU build of a local folder or of PyTorch's own index."""
    if has_gpu() or sys.platform != "linux" or local_cpu_build():
        return []
    return ["--torch-backend", "cpu"] if str(installer[0]).endswith("uv") else ["--extra-index-url", CPU_INDEX]


def local_cpu_build() -> bool:
    """Tell whether a wheel folder of pip's configuration holds the CPU build for this Python."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return any(list(Path(word).glob(f"torch-{TORCH[7:]}+cpu-{tag}-*.whl")) for word in links()[1::2])


def add_gpu_packages(installer: Sequence[str | Path]) -> None:
    """Add DeepSpeed and flash-attn; flash-attn may have to be compiled, and everything but its speed works without it."""
    command = [*installer, "-c", CONSTRAINTS, "--no-build-isolation", "-e", f"{ROOT}[gpu]"]
    if subprocess.run(command, check=False).returncode:
        print("set-up: no flash-attn for this machine; train with --set attn_implementation=sdpa", flush=True)


def run(command: Sequence[str | Path]) -> None:
    """Run a command and stop when it fails."""
    subprocess.run([str(word) for word in command], check=True)


if __name__ == "__main__":
    main()
