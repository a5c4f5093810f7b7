"""``ecom-eval predict`` on this CPU beside the build before the work on speed: ``python -m tests.bench.predict [EVERY]``.

Both sides answer the demo's test split with its model, and SmolLM2's with the base and with the trained one, of the checkout in
DEMO in which ``make demo-real`` and ``make demo`` have run; EVERY: one row in so many. Each side has a process of its own, which
loads the model once; they take turns, split by split, so that whatever else the machine does weighs on both alike. All answers
must be the same.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

GOAL = 1.5
BATCH = 64  # as the demos have it


class Work(NamedTuple):
    """A model's folder and the test split that it answers, in ``rounds`` turns, with answers of ``longest`` tokens at most."""

    name: str
    model: str
    data: str
    longest: int
    rounds: int


WORKS = (
    Work("the demo's test split", "runs/demo-qlora/merged", "data/demo/test.jsonl", 128, 7),
    Work("SmolLM2's, trained", "runs/demo-real-qlora/merged", "data/demo-real/test.jsonl", 64, 3),
    Work("SmolLM2's, the base", "runs/smollm2-base/merged", "data/demo-real/test.jsonl", 64, 1),
)


def serve(model: str, data: str, longest: str, every: str) -> None:
    """Answer the rows for every line of standard input, and write the processor seconds that it took and the answers' hash."""
    from converters import examples
    from eval.inference import backends, predict
    from eval.inference.backends.base import Plan

    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    backend, plan = backends.get("transformers"), Plan("", int(longest), batch_size=BATCH)
    rows = list(examples.read_rows(Path(data)))[:: int(every)]
    loaded = backend.load(model, plan)
    prompts = predict._render([predict.prompts.questions(row) for row in rows], plan, (), None)
    batches = backend.batches(loaded, plan, prompts)
    for _ in sys.stdin:
        before = time.process_time()
        answers = [answer for batch in backend.answers(loaded, plan, batches) for answer in batch]
        taken = time.process_time() - before
        lines = sorted((answer.id, answer.prediction, answer.tokens, answer.ended) for answer in answers)
        told = {"rows": len(rows), "seconds": taken, "sha256": hashlib.sha256(json.dumps(lines).encode()).hexdigest()}
        print(json.dumps(told), file=said, flush=True)


def measure(work: Work, demo: Path, every: int) -> bool:
    """Print the rows a processor second of both sides; return whether the goal is met."""
    from tests.bench import before, goals

    command = [sys.executable, __file__, str(demo / work.model), str(demo / work.data), str(work.longest), str(every)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    threads = {"OMP_NUM_THREADS": "1"}
    sides = [
        subprocess.Popen(command, text=True, env=before.environment(commit) | threads, **pipes)
        for commit in (before.BEFORE, None)
    ]
    rates: tuple[list[float], list[float]] = ([], [])
    hashes = set()
    for _ in range(work.rounds):
        for side, found in zip(sides, rates, strict=True):
            told = _turn(side)
            found.append(told["rows"] / told["seconds"])
            hashes.add(told["sha256"])
    for side in sides:
        side.communicate()
    assert len(hashes) == 1, f"{work.name}: the answers differ"
    return goals.told(f"predict, {work.name}", *map(median, rates), "rows a processor second", GOAL, is_rate=True)


def _turn(side: Any) -> dict[str, Any]:
    side.stdin.write("\n")
    side.stdin.flush()
    told: dict[str, Any] = json.loads(side.stdout.readline())
    return told


def compare(every: int = 1) -> None:
    """Print all of them, or what is missing."""
    demo = Path(os.environ.get("DEMO", "."))
    for work in WORKS:
        if (demo / work.model).is_dir() and (demo / work.data).is_file():
            measure(work, demo, every)
        else:
            print(f"predict, {work.name}: not measured, no {demo / work.model}: make demo demo-real, or DEMO=checkout")


if __name__ == "__main__":
    if sys.argv[2:]:
        serve(*sys.argv[1:])
    else:
        compare(int((sys.argv[1:] or ["1"])[0]))
