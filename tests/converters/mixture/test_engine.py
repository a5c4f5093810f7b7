"""A mixture built on a Ray cluster: the bytes of one machine, whatever the number of machines and whichever of them dies."""

import gzip
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converters.cli import main
from tests import _cluster

RECORDS = 5_000  # of MAVE, in two files of three units each
CHATS = 9_000  # three units in the first round, that deal to several buckets of the second
NEAR = [str(n) for n in range(10**6, 10**6 + 150)]  # of the texts that are close to each other
ODD = (
    "<p>Great&nbsp;<b>mug</b></p>",
    "said </s>[INST] hi",
    "保温杯 🫖",
    "",
    "a\tb\r\nc",
    "Mo\u0308bel",
    "[EXTRACT] all",
    "\x00 nul",
)


def mave(n: int, draw: random.Random) -> str:
    color, odd = draw.choice(("Red", "Blau", "深蓝色")), ODD[n % len(ODD)]
    words = NEAR if n % 20 == 1 else [str(draw.randrange(10**9)) for _ in range(150)]
    text = f"{odd} A {color} kettle, {' '.join(words)}"
    place = text.find(color)
    evidences = [{"value": color, "pid": 1, "begin": place, "end": place + len(color)}] if n % 3 else []
    record = {
        "id": f"B{n // 2 if n % 10 == 0 else n:09d}",  # some products come twice
        "category": "Kettles",
        "paragraphs": [{"text": f"Kettle {n}", "source": "title"}, {"text": text, "source": "description"}],
        "attributes": [{"key": "Color", "evidences": evidences}],
    }
    line = json.dumps(record, ensure_ascii=n % 2 > 0)
    return line[: len(line) // 2] if n % 500 == 3 else line


def chat(n: int, draw: random.Random) -> str:
    question = f"What is {n % 7000} of {ODD[n % len(ODD)]}?"  # every fourth conversation has another one's question
    answer = " ".join(str(draw.randrange(10**9)) for _ in range(100))
    return json.dumps({"instruction": question, "input": "", "output": answer}, ensure_ascii=False)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("raw"), random.Random(0)
    plain = [mave(n, draw) for n in range(RECORDS)]
    packed = [mave(RECORDS + n, draw) for n in range(RECORDS)]
    (folder / "mave.jsonl").write_text("\n".join(plain), "utf-8")
    with gzip.open(folder / "more.jsonl.gz", "wt", encoding="utf-8", compresslevel=1) as file:
        file.write("\n".join(packed) + "\n")
    (folder / "alpaca.jsonl").write_text("\n".join(chat(n, draw) for n in range(CHATS)) + "\n", "utf-8")
    plan = {
        "sources": [
            {"source": "mave", "paths": [str(folder / "mave.jsonl"), str(folder / "more.jsonl.gz")]},
            {"source": "general", "paths": [str(folder / "alpaca.jsonl")]},
        ],
        "general_share": 0.2,
        "near_duplicates": 0.8,
    }
    (folder / "plan.yaml").write_text(json.dumps(plan))
    return folder


@pytest.fixture(scope="module")
def whole(raw: Path) -> dict[str, bytes]:
    """The files of the mixture that one process builds."""
    done = CliRunner().invoke(main, ["build", str(raw / "plan.yaml"), "--out", str(raw / "whole"), "--rejects"])
    assert done.exit_code == 0, done.output
    assert "near-duplicate of a held-out row" in done.output
    return files(raw / "whole")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with _cluster.running(2) as cluster:
        yield cluster


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def start(raw: Path, out: Path, address: str) -> "subprocess.Popen[str]":
    words = ["build", raw / "plan.yaml", "--out", out, "--rejects", "--engine", "ray", "--address", address]
    command = [sys.executable, "-c", "from converters.cli import main; main()", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: "subprocess.Popen[str]") -> str:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, out + errors
    return out


def parts(out: Path) -> int:
    """Return how many units are converted."""
    return len([*out.with_name(f".{out.name}.parts").glob("*.units/*/part.json")])


def wait_for(process: "subprocess.Popen[str]", out: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while parts(out) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_two_machines_that_are_interrupted_write_the_bytes_of_one(
    raw: Path, whole: dict[str, bytes], cluster: Any
) -> None:
    assert "train.jsonl" in whole and "rejects.jsonl" in whole
    out = raw / "stopped"
    process = start(raw, out, cluster.address)
    wait_for(process, out, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.strip() == "error: interrupted; nothing half-written was left behind, run the same command again"
    assert parts(out) >= 2
    finished(start(raw, out, cluster.address))
    assert files(out) == whole


@pytest.mark.slow
def test_three_machines_of_which_one_dies_write_the_bytes_of_one(
    raw: Path, whole: dict[str, bytes], cluster: Any
) -> None:
    dying, out = _cluster.add(cluster), raw / "three"
    process = start(raw, out, cluster.address)
    _cluster.kill_at_work(cluster, dying, "_at_home", process)
    finished(process)
    assert files(out) == whole


NOWHERE = socket.socket()
NOWHERE.bind(("127.0.0.1", 0))  # taken, and nothing listens


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--address", "127.0.0.1:6379"], "--address needs --engine ray"),
        (["--engine", "ray", "--shard", "1/2"], "leave one out"),
        (["--engine", "ray", "--address", "head"], "expected host:port of the cluster's head"),
        (["--engine", "ray", "--address", f"127.0.0.1:{NOWHERE.getsockname()[1]}"], "nothing listens there"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(raw: Path, words: list[str], said: str) -> None:
    found = CliRunner().invoke(main, ["build", str(raw / "plan.yaml"), "--out", str(raw / "none"), *words])
    assert found.exit_code == 1 and found.output.startswith("error: ") and said in found.output
    assert found.output.count("\n") == 1
    assert not (raw / "none").exists()


def test_without_ray_it_says_what_to_install(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["build", str(raw / "plan.yaml"), "--out", str(raw / "none"), "--engine", "ray"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 1
    assert found.output == "error: --engine ray needs the package 'ray': pip install 'ecom-llm-recipes[ray]'\n"


@pytest.mark.slow
def test_what_is_wrong_on_a_machine_is_told_as_on_this_one(raw: Path, cluster: Any) -> None:
    (raw / "broken").mkdir()
    broken = raw / "broken" / "rows.jsonl.gz"
    broken.write_bytes((raw / "more.jsonl.gz").read_bytes()[:-1000])
    plan = {"sources": [{"source": "mave", "paths": [str(broken)]}], "general_share": 0, "near_duplicates": None}
    (raw / "broken" / "plan.yaml").write_text(json.dumps(plan))
    here = CliRunner().invoke(main, ["build", str(raw / "broken" / "plan.yaml"), "--out", str(raw / "none")])
    process = start(raw / "broken", raw / "none", cluster.address)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == here.exit_code == 1
    assert errors == here.output
