"""A real vLLM in ``.venv-vllm``: it answers as transformers does, and a server that is killed loses nothing (make test-vllm).

The models are what ``make demo`` trained (here, or in the checkout that ``DEMO`` names) and, where ``SMOLLM2`` names a folder
that ``ecom-train base smollm2`` made, that one. Figures are printed: see them with -s.
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.runner.export import serve
from recipes.runner.records import provenance
from tests.recipes.conftest import BIN, ROOT, small_mix

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (serve.ENVIRONMENT / "ready").is_file(), reason="no .venv-vllm: make setup-vllm"),
]
QUIET = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
PATHS = ("--constrain", "--paths", "data/mix/train.jsonl")
WAYS = {
    "plain": (),
    "constrained": PATHS,
    "few-shot": ("--few-shot", "2", "--train", "data/mix/train.jsonl"),
    "candidates": ("--candidates", "5"),
    "constrained candidates": (*PATHS, "--candidates", "5"),
}
TOKENS = {"demo": 48, "smollm2": 16}  # the demo's longest path has 30 or so; SmolLM2 is slow and writes no path
EVERY = 9  # of the demo's 1,116 rows one in so many: transformers answers them one by one
NEAR = {
    "demo": 0.001,
    "smollm2": 0.1,
}  # apart at most: vLLM computes SmolLM2 in bfloat16, transformers on a CPU in float32


def served(folder: Path, name: str, checkpoint: Path, train: str) -> None:
    """Put a checkpoint into ``folder/runs`` as a merged run."""
    run = folder / "runs" / name
    run.mkdir(parents=True)
    (run / "merged").symlink_to(checkpoint.resolve())
    (run / "recipe.yaml").write_text(yaml.safe_dump({"sequence_len": 256}))
    provenance.write(run, {"status": "merged", "data": [{"name": train}]})


@pytest.fixture(scope="module", params=["demo", "smollm2"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A working folder and a run's name. What is not there skips.

    Nothing that is trained for some steps only will do: its answers hold broken characters, which the server leaves out.
    """
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "demo":
        place = Path(os.environ.get("DEMO", ROOT))
        checkpoint, data = place / "runs" / "demo-qlora" / "merged", place / "data" / "demo"
    else:
        checkpoint = Path(os.environ.get("SMOLLM2", "no folder"))
    if not (checkpoint / "config.json").is_file():
        pytest.skip(f"no {request.param}: make demo makes it, or DEMO and SMOLLM2 name folders")
    if request.param == "demo":
        mix = folder / "data" / "mix"
        mix.mkdir(parents=True)
        (mix / "train.jsonl").symlink_to((data / "train.jsonl").resolve())
        rows = (data / "test.jsonl").read_text("utf-8").splitlines(keepends=True)
        (mix / "test.jsonl").write_text("".join(rows[::EVERY]), "utf-8")
    else:
        small_mix(folder)
    served(folder, request.param, checkpoint, "data/mix/train.jsonl")
    return folder, request.param


@pytest.fixture(scope="module")
def scratch(run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a model's answers and its server's log."""
    return tmp_path_factory.mktemp(run[1])


@contextmanager
def serving(
    folder: Path, name: str, port: int, log: Path, command: Sequence[str] = ()
) -> Iterator["subprocess.Popen[bytes]"]:
    """Serve a run as ``make serve`` does, or by a command, in a process group of its own: up before it is yielded."""
    words = [*command] or [str(BIN / "ecom-train"), "serve", name, "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, cwd=folder, env=os.environ | QUIET, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        assert up(f"http://127.0.0.1:{port}/health", process), log.read_text("utf-8", "replace")[-3000:]
        yield process
    finally:
        kill(process)


def up(url: str, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + 1200
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            time.sleep(0.5)
    return False


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the server with all its processes, which do not clean up."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def server(run: tuple[Path, str], port: int, scratch: Path) -> Iterator[str]:
    with serving(*run, port, scratch / "log"):
        yield f"http://127.0.0.1:{port}/v1"


Lines, Record = dict[str, dict[str, Any]], dict[str, Any]


@pytest.fixture(scope="module")
def ask(run: tuple[Path, str], scratch: Path) -> Callable[..., tuple[Lines, Record]]:
    """Run ``predict`` on the test split; what was answered once, in the same way, is not asked again."""
    folder, name = run

    def answers(
        out: str, *flags: str, program: Path = BIN / "ecom-eval", tokens: int = TOKENS[name]
    ) -> tuple[Lines, Record]:
        target = scratch / out
        if not (target / "predictions.json").is_file():
            done = predict(folder, name, target, *flags, "--max-new-tokens", str(tokens), program=program)
            assert done.returncode == 0, done.stdout + done.stderr
        lines = map(json.loads, (target / "predictions.jsonl").read_text("utf-8").splitlines())
        return {line["id"]: line for line in lines}, json.loads((target / "predictions.json").read_bytes())

    return answers


def predict(
    folder: Path, name: str, out: Path, *flags: str, program: Path = BIN / "ecom-eval"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), "predict", "--checkpoint", f"runs/{name}/merged", "--data", "data/mix/test.jsonl",
         "--out", str(out), *flags],
        cwd=folder, env=os.environ | QUIET, capture_output=True, text=True, check=False,
    )  # fmt: skip


def agreement(what: str, ours: Lines, others: Lines, record: Record) -> float:
    """Print and return the share of rows with the same answer."""
    same = sum(ours[id_]["prediction"] == others[id_]["prediction"] for id_ in ours)
    print(f"\n{what}: {same} of {len(ours)} answers equal, {record['rows_per_second']} rows/s", end="")
    several = [id_ for id_ in ours if "candidates" in ours[id_]]
    if several:
        equal = sum(ours[id_]["candidates"] == others[id_]["candidates"] for id_ in several)
        print(f"; {equal} of {len(several)} lists of candidates equal", end="")
    return same / len(ours)


def least(name: str, way: str) -> float:
    """Return the least agreement: vLLM lets an untuned model write a text in any tokens, and JSON with any blanks."""
    return 0.0 if name == "smollm2" and way.startswith("constrained") else 0.95


def test_make_serves_the_command_that_it_prints(run: tuple[Path, str], scratch: Path, server: str) -> None:
    name = run[1]
    words = shlex.split((scratch / "log").read_text("utf-8", "replace").splitlines()[0])
    assert words[:3] == ["vllm", "serve", f"runs/{name}/merged"] and {"--dtype", "--chat-template"} <= set(words)
    with urllib.request.urlopen(f"{server}/models", timeout=30) as reply:
        (card,) = json.load(reply)["data"]
    assert (card["id"], card["max_model_len"]) == (name, int(words[words.index("--max-model-len") + 1]))


@pytest.mark.parametrize("way", WAYS)
def test_the_server_answers_as_transformers_does(ask: Any, run: tuple[Path, str], server: str, way: str) -> None:
    ours, _ = ask(f"transformers {way}", "--batch-size", "1", *WAYS[way])
    endpoint = ("--backend", "openai", "--base-url", server, "--model", run[1])
    served, record = ask(f"served {way}", *endpoint, *WAYS[way])
    assert agreement(f"{run[1]}, served, {way}", ours, served, record) >= least(run[1], way)
    assert record["unanswered"] == 0
    candidates_are_distinct(ours, served, run[1])


@pytest.mark.parametrize("way", ["plain", "constrained candidates", "candidates"])
def test_vllm_in_process_answers_as_transformers_does(ask: Any, run: tuple[Path, str], way: str) -> None:
    ours, own = ask(f"transformers {way}", "--batch-size", "1", *WAYS[way])
    program = serve.ENVIRONMENT / "bin" / "ecom-eval"
    found, record = ask(f"in process {way}", "--backend", "vllm", *WAYS[way], program=program)
    assert agreement(f"{run[1]}, in process, {way}", ours, found, record) >= least(run[1], way)
    assert record["backend"]["dtype"] == own["backend"]["dtype"] == "float32" or run[1] == "smollm2"
    candidates_are_distinct(ours, found, run[1])


@pytest.mark.parametrize("way", ["plain", "constrained"])
def test_vllm_is_as_sure_as_transformers(ask: Any, run: tuple[Path, str], server: str, way: str) -> None:
    """Its constraint to texts allows them in any tokens, so that it is less sure: its own two ways alone are compared then."""
    flags = ("--confidence", *WAYS[way])
    served, told = ask(f"served, sure, {way}", "--backend", "openai", "--base-url", server, "--model", run[1], *flags)
    program = serve.ENVIRONMENT / "bin" / "ecom-eval"
    found, record = ask(f"in process, sure, {way}", "--backend", "vllm", *flags, program=program)
    assert record["confidence"]["not_available"] == 0
    assert told["confidence"]["not_available"] <= len(served) / 20  # a text that is no UTF-8 cannot be told apart
    assert apart(f"{run[1]}, in process and served, {way}", found, served) <= NEAR[run[1]]
    ours, _ = ask(f"transformers, sure, {way}", "--batch-size", "1", *flags)
    assert apart(f"{run[1]}, in process and transformers, {way}", found, ours) <= NEAR[run[1]] or way == "constrained"


def apart(what: str, ours: Lines, others: Lines) -> float:
    """Print and return how far apart confidences of the same answers are at most."""
    same = [(line, others[id_]) for id_, line in ours.items() if line["prediction"] == others[id_]["prediction"]]
    pairs = [(line.get("confidence", {}), other.get("confidence", {})) for line, other in same]
    units = [abs(sure[unit] - other[unit]) for sure, other in pairs for unit in sure.keys() & other.keys()]
    print(
        f"\n{what}: {len(units)} confidences, {max(units):.6f} apart at most, {sum(units) / len(units):.6f} on average",
        end="",
    )
    return max(units)


def candidates_are_distinct(ours: Lines, found: Lines, name: str) -> None:
    """An untuned model's beams may be one text in several tokens, which counts once."""
    for id_, line in found.items():
        assert ("candidates" in line) == ("candidates" in ours[id_]), id_
        several, count = line.get("candidates", []), len(ours[id_].get("candidates", []))
        assert len(several) == len(set(several)), line
        assert len(several) == count or (name == "smollm2" and 1 < len(several) < count), (ours[id_], line)


def test_an_answer_that_the_context_cuts_is_counted_apart(ask: Any, run: tuple[Path, str], server: str) -> None:
    """vLLM makes ``max_tokens`` smaller in silence where the context has no room for as many."""
    endpoint = ("--backend", "openai", "--base-url", server, "--model", run[1])
    with urllib.request.urlopen(f"{server}/models", timeout=30) as reply:
        context = json.load(reply)["data"][0]["max_model_len"]
    _, record = ask("cut", *endpoint, "--extra", '{"ignore_eos": true}', tokens=context)
    assert record["cut_at_context"] == record["prompts"] and record["cut_at_max_new_tokens"] == 0
    assert record["backend"]["context"] == context


def test_a_server_that_is_killed_loses_nothing(finished: Path, port: int, tmp_path: Path) -> None:
    """``kill -9`` half-way: one sentence, what was answered is kept, and the result is that of a run that nobody disturbed."""
    where = ("--backend", "openai", "--base-url", f"http://127.0.0.1:{port}/v1", "--model", "tiny", "--retries", "0")
    flags = (*where, "--concurrency", "1", "--max-new-tokens", "128")
    out, whole = tmp_path / "out", tmp_path / "whole"
    words = ["--checkpoint", "runs/tiny/merged", "--data", "data/mix/test.jsonl", "--out", str(out), *flags]
    with serving(finished, "tiny", port, tmp_path / "log") as process:
        asking = subprocess.Popen(
            [str(BIN / "ecom-eval"), "predict", *words],
            cwd=finished, env=os.environ | QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        while asking.poll() is None and answered(out) < 5:
            time.sleep(0.02)
        kill(process)
        said, _ = asking.communicate(timeout=600)
    errors = [line for line in said.splitlines() if "error: " in line]
    assert asking.returncode == 1 and len(errors) == 1 and "Traceback" not in said, said
    assert "no connection, or one that broke off" in errors[0]
    kept = answered(out)
    assert kept >= 5 and not (out / "predictions.jsonl").exists()
    refused = predict(finished, "tiny", out, *flags)
    assert (
        refused.returncode == 1 and "no connection, or one that broke off" in refused.stderr and answered(out) == kept
    )
    with serving(finished, "tiny", port, tmp_path / "log"):
        for folder in (out, whole):
            done = predict(finished, "tiny", folder, *flags)
            assert done.returncode == 0, done.stderr
    resumed, record = (json.loads((folder / "predictions.json").read_bytes()) for folder in (out, whole))
    print(f"\nkilled after {kept} of {record['rows']} rows: {resumed['rows_resumed']} were not asked again", end="")
    assert (resumed["rows_resumed"], record["rows_resumed"]) == (kept, 0)
    assert (out / "predictions.jsonl").read_bytes() == (whole / "predictions.jsonl").read_bytes()


def answered(folder: Path) -> int:
    """Return how many answers an interrupted run has kept."""
    return sum(file.read_bytes().count(b"\n") for file in folder.glob(".predictions.*.partial"))
