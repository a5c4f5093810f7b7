"""A Ray cluster on this machine: every "machine" of it is a daemon of Ray's with a processor, and processes that die with it."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

OBJECTS = 80 * 10**6  # bytes of the objects that a machine holds, the least that Ray allows and some
# So that a dead machine is noticed within two seconds, not within half a minute.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as nice as Ray wants them, they wait for whatever else runs here
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "3",
}


@contextmanager
def running(machines: int) -> Iterator[Any]:
    """Start a cluster with so many machines beside a head that takes no work; ``address`` is its head's."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="ray-")  # a short path: those of sockets may have 107 characters
    own = Path(folder) / "ray"  # as Ray names it, which writes an address there and needs it to exist
    own.mkdir()
    with patch.dict(os.environ, SETTINGS | {"RAY_TMPDIR": folder}):
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": OBJECTS, "temp_dir": str(own)}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(machines):
                add(cluster)
            yield cluster
        finally:
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def add(cluster: Any) -> Any:
    """Add a machine with one processor, and return it."""
    return cluster.add_node(num_cpus=1, object_store_memory=OBJECTS)


def kill_at_work(cluster: Any, machine: Any, work: str, process: "subprocess.Popen[str]") -> None:
    """Kill a machine as soon as one of its processes is at ``work``, for a command that is not done yet."""
    import psutil

    daemon = psutil.Process(machine.all_processes["raylet"][0].process.pid)
    deadline = time.monotonic() + 300
    while not any(work in name for child in daemon.children() for name in _title(child)):
        assert process.poll() is None and time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)
    cluster.remove_node(machine, allow_graceful=False)
    assert process.poll() is None, "it was done before"


def _title(process: Any) -> list[str]:
    import psutil

    try:
        return list(process.cmdline())  # Ray writes there what a process does
    except psutil.Error:
        return []
