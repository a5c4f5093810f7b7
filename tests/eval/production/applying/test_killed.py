"""Killed at five moments, one or two of each phase, ``apply`` ends in the bytes of a run that was not.

A moment is the number of a call of our own code, counted in a process of its own that kills itself there: it always hits, and the
same seed gives the same moments.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.eval._serving import Answered, serving
from tests.eval.production.applying import _shop as shop
from tests.eval.production.applying.conftest import answer

ROOT = Path(__file__).parents[4]
PRODUCTS, CHUNK = 11, 6
# Loads everything once. Each line of standard input is a sitting in a fork: the file to write, and the call to die at (0: none).
SITTINGS = f"""
import json, os, signal, sys, time
from pathlib import Path
import openai
from eval.inference.backends import openai as backend
from eval.production.applying import apply, labels, review

root, url = sys.argv[1:]
ours = tuple(f"{{root}}/{{room}}/" for room in ("converters", "eval"))
begins = {{labels.written: "predicting", apply._write: "writing", review._write_mapping: "ending"}}
begins = {{function.__code__: phase for function, phase in begins.items()}}
openai.OpenAI(base_url=url, api_key="none")  # which imports the rest
network = dict(base_url=url, model="m", concurrency=1, timeout=60.0, retries=0, accept_unanswered=False)
options = dict(form=None, entry=None, option=(), constrain=True, paths=None, candidates=None, precision=0.9)
options |= dict(max_new_tokens=64, batch_size=4, choice_as="structured_outputs")


def sit(out, moment):
    calls, begun = 0, {{}}

    def count(frame, event, _):
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(ours):
            calls += 1
            if frame.f_code in begins:
                begun.setdefault(begins[frame.f_code], calls)
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.settrace(count)
    work = apply.prepared("shop", Path("new.csv"), Path(out), "openai", {{**options, **network}})
    apply.apply(work, "openai", lambda *_: None, time.monotonic, chunk={CHUNK})
    sys.settrace(None)
    print(json.dumps({{**begun, "over": calls}}), flush=True)


for line in sys.stdin:
    out, moment = line.rsplit(maxsplit=1)
    if not (child := os.fork()):
        sit(out, int(moment))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Sit = Callable[[Path, int], tuple[int, dict[str, int]]]


@contextmanager
def sittings(url: str) -> Iterator[Sit]:
    """Give what takes a sitting: it returns the exit code, and the calls at which phases began if it was not killed."""
    command = [sys.executable, "-c", SITTINGS, str(ROOT), url]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=env, text=True, **pipes) as process:

        def sit(out: Path, moment: int) -> tuple[int, dict[str, int]]:
            process.stdin.write(f"{out} {moment}\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            said = process.stdout.readline()  # type: ignore[union-attr]
            begun = json.loads(said) if said.startswith("{") else {}
            return int(process.stdout.readline() if begun else said), begun  # type: ignore[union-attr]

        yield sit
        process.stdin.close()  # type: ignore[union-attr]


def moments(begun: dict[str, int], draw: random.Random) -> dict[str, int]:
    """Return a call of each phase, and two of the one in which the model is asked."""
    middle = (begun["predicting"] + begun["writing"]) // 2
    bounds = {
        "reading": (1, begun["predicting"]),
        "asking": (begun["predicting"], middle),
        "still asking": (middle, begun["writing"]),
        "writing": (begun["writing"], begun["ending"]),
        "ending": (begun["ending"], begun["over"] + 1),
    }
    return {phase: draw.randrange(*bound) for phase, bound in bounds.items()}


def files(folder: Path, ending: str) -> dict[str, bytes]:
    """Return what is in a folder, the record without what the last sitting took."""
    found, record = {path.name: path.read_bytes() for path in folder.glob("*")}, f"labelled.{ending}.json"
    if record in found:
        found[record] = json.dumps(json.loads(found[record]) | {"sitting": None}).encode()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_killed_at_any_moment_it_ends_in_the_same_bytes(home: Path, ending: str) -> None:
    rows = shop.products(PRODUCTS)
    rows[7]["name"] = ""
    shop.write(home / "new.csv", rows, without=shop.LABELS)
    shop.calibrated(home / "runs" / "shop")
    seed, asked = int.from_bytes(os.urandom(4), "big"), list[str]()

    def counted(body: dict[str, Any], headers: Any) -> Answered:
        asked.append(body["messages"][-1]["content"])
        return answer(body, headers)

    with serving(counted) as url, sittings(url) as sit:
        out = home / "out" / f"labelled.{ending}"
        code, begun = sit(out, 0)
        whole, total = files(out.parent, ending), len(asked)
        assert code == 0 and len(whole) == 5 and whole[f"labelled.{ending}.rejects.jsonl"]
        for phase, moment in moments(begun, random.Random(seed)).items():
            told = f"seed {seed}: {phase}, call {moment:,} of {begun['over']:,}"
            shutil.rmtree(out.parent)
            assert sit(out, moment) == (-signal.SIGKILL, {}), told
            left = files(out.parent, ending)
            assert all(left[name] == whole[name] for name in left.keys() & whole.keys()), (
                told
            )  # nothing is half-written
            asked.clear()
            assert sit(out, 0)[0] == 0 and files(out.parent, ending) == whole, told
            assert len(asked) == {"reading": total, "writing": 0}.get(phase, len(asked)), told
            assert len(asked) < total or phase != "still asking", told
