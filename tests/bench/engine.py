"""``ecom-data build --engine ray`` beside one machine: time, processor time, memory, the same bytes.

Two "machines" of one processor each, on this one. ``python -m tests.bench.engine [RECORDS]``
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from converters.io.jsonl import sha256
from tests import _cluster
from tests.bench import build
from tests.bench.before import took

RECORDS = 50_000  # of MAVE, and general rows as in tests.bench.build
MACHINES = 2


@contextmanager
def watching(cluster: Any) -> Iterator[dict[int, tuple[float, int]]]:
    """Note for each process of a cluster's machines, by its id, the seconds of processor that it took and its peak in MiB.

    Ray ends what worked for a command soon after the command: they are looked at five times a second.
    """
    seen: dict[int, tuple[float, int]] = {}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            for daemon in daemons:
                for each in (daemon, *daemon.children(recursive=True)):
                    with suppress(psutil.Error, OSError, IndexError):
                        times, status = each.cpu_times(), Path(f"/proc/{each.pid}/status").read_text()
                        peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
                        seen[each.pid] = (times.user + times.system, peak)

    daemons = [psutil.Process(node.all_processes["raylet"][0].process.pid) for node in cluster.list_all_nodes()]
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def compare(folder: Path, records: int = RECORDS) -> None:
    """Print what a mixture takes in one process, in two, and on a cluster of two machines; its files must have the same bytes."""
    build.write(folder, records)
    print(f"build of {records:,} MAVE records and {records * 12 // 100:,} general rows:")
    known: dict[str, str] = {}

    def one(name: str, *words: str) -> None:
        spent = took("converters", "build", "spec.yaml", "--out", name, "--rejects", *words, cwd=folder)
        files = {path.name: sha256(path) for path in (folder / name).iterdir()}
        assert files == (known or files), f"{name}: other bytes"
        known.update(files)
        print(f"  {name}: {spent.wall:.1f} s, {spent.processor:.1f} s of processor, {spent.memory} MiB")

    one("one process")
    one("two processes", "--workers", "2")
    with _cluster.running(MACHINES) as cluster, watching(cluster) as seen:
        time.sleep(1)
        before = dict(seen)
        one("ray", "--engine", "ray", "--address", cluster.address)
        spent = sum(seconds - before.get(process, (0.0, 0))[0] for process, (seconds, _) in seen.items())
        memory = max(peak for _, peak in seen.values())
        print(f"  ray's two machines: {spent:.1f} s of processor, {memory} MiB in the largest process")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        compare(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS)
