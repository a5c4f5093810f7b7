"""A Ray cluster, joined for as long as a command needs it: what ``--engine ray`` does. The only module that imports Ray.

Ray deals out the work, moves it where there is room, and starts again what was lost with a machine (https://docs.ray.io). All
machines have these packages and see one file system, with the same paths. What is written lies there and not in Ray's memory, so
a command that dies goes on where it was. It has to show at once on each machine what another wrote: NFS only does if mounted with
``actimeo=0``, an object store that is mounted does not. We have run it on one machine's disk alone.

Ray's own tasks and actors are used, not the pipelines of Ray Data on top of them: these want all input before they begin, where
units of a mixture are cut while others are converted, and their models go with each pipeline, where ``ecom-eval apply`` asks one
model thousands of times.

A mixture of 10^9 rows, on paper. The figures are of the benches ``engine``, ``build``, ``near``, ``decide`` at 10^5 rows, on one
core of a server: a row is 2.1 kB raw and 1.7 kB written, as MAVE's are.

=============  =============================  ==========================================================================
step           a row                          10^9 rows
=============  =============================  ==========================================================================
cut            1.3 us, inflating gzip 9 us    the driver reads 2.1 TB: as fast as the disk, or 2.5 hours from one gzip file
convert        38 us                          11 hours of one core, 2 minutes of 512; 165 MiB a process
bring together 2.1 kB out and in              4 TB through the file system, for sources that do (``gathering``); their 512
(the shuffle)                                 buckets are 4 GB then, each dealt again in its machine's temporary folder
merge          0.07 us, 86 bytes in and out   a minute of the driver: rows stay in the files of the 512 units that made them
decide         0.9 us at 10^7; 9 bytes        half an hour of the driver, which reads each of 58 GB of columns from the disk
                                              32 times a step, as it holds a share of the hashes alone: 9 GB
near-          40 us; 4 kB in each process    11 hours of one core, 2 minutes of 512; with a tenth held out 400 GB in each
duplicates     for each held-out row          process
write          one read of 1.7 kB anywhere,   10^9 random reads: 3 hours at 10^5 a second, 28 at what a NAS gives, 10^4;
               0.2 files opened               each of the 512 files is opened once for 4 MiB of rows
measure, hash  11 us, 4 us                    shared by all machines, but for the hash of one file: an hour
=============  =============================  ==========================================================================

So near-duplicates break first, in memory: 2 GB a process hold the signatures of 5*10^5 held-out rows, which is a tenth of 5*10^6
(a smaller share to be held out, or ``near_duplicates: null``, does without). A driver with 16 GB decides on all 10^9 rows, and a
build takes a working day, most of it the random reads of writing and what the driver does alone. To go on from there, machines
would decide on a share of the hashes each: each decision but the shares of whole splits needs the rows of one group, prompt or id
alone.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from converters.core.errors import InputError, first_line
from converters.core.hashing import digest

A = TypeVar("A")
B = TypeVar("B")
AHEAD = 4  # units that wait for each processor, so that none is idle while an earlier unit is awaited
LOST = 5  # times that work may be lost with its machine or process before it counts as the work's own fault
PATIENCE = 10.0  # seconds for a machine to take a connection
MISSING = "--engine ray needs the package 'ray': pip install 'ecom-llm-recipes[ray]'"
# Ray tells its makers how it is used unless this is 0; and it tries 20 times, 40 s each, to reach a head that is none.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_gcs_server_port_wait_time_s": "1"}


class Home(NamedTuple):
    """Where a command runs: its folder, the hash of its code, and how many threads its libraries were told to take."""

    folder: str
    code: str
    threads: str | None


@contextmanager
def joined(address: str | None) -> Iterator[Any]:
    """Connect to the cluster whose head is at ``address`` (``host:port``), and yield the package ``ray``.

    Without an address it is what ``RAY_ADDRESS`` names, else the one that runs on this machine, else this machine alone. No Ray,
    nobody at the address, or work that fails for a reason that a user can mend, is an ``InputError``.
    """
    os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
    try:
        ray = import_module("ray")
    except ImportError as error:
        raise InputError(MISSING) from error
    address = address or os.environ.get("RAY_ADDRESS")
    _need_somebody(address)
    try:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError, AssertionError, TimeoutError) as error:
            at = f"at {address}" if address else "on this machine"
            raise InputError(f"--engine ray: no Ray cluster {at} can be joined: {first_line(error)}") from error
        yield ray
    except ray.exceptions.RayError as error:
        raise _cause(ray, error) from None
    finally:
        ray.shutdown()


def _need_somebody(address: str | None) -> None:
    """Raise an ``InputError`` where nothing listens: Ray itself would try for minutes."""
    if address in (None, "auto", "local"):
        return
    host, _, port = address.rpartition(":") if address else ("", "", "")
    if not (host and port.isdecimal()) or "/" in host:
        raise InputError(f"--address {address}: expected host:port of the cluster's head, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(
            f"--address {address}: nothing listens there ({first_line(error)}); start Ray's head with 'ray start --head'"
        ) from error


def _cause(ray: Any, error: Any) -> Exception:
    """Return what an error of Ray's is about: an error of the work, or a machine's that is no fault of the work."""
    if not isinstance(error, ray.exceptions.RayTaskError):
        return InputError(f"--engine ray: {first_line(error)}")
    return error.cause if isinstance(error.cause, InputError | OSError) else error


def here(*packages: str) -> Home:
    """Return where this process runs; ``packages`` are those whose code decides what comes out."""
    return Home(str(Path.cwd()), _code(packages), os.environ.get("OMP_NUM_THREADS"))


def settle(home: Home, *packages: str) -> None:
    """Make this process, on any machine, one like that of ``home``; where it cannot be one is an ``InputError``."""
    machine = socket.gethostname()
    try:
        os.chdir(home.folder)
    except OSError as error:
        raise InputError(
            f"{machine}: {home.folder}: {error.strerror}; with --engine ray the command's folder has to be there on every machine"
        ) from error
    if _code(packages) != home.code:
        raise InputError(f"{machine}: has another version of this package: install the same one on every machine")
    if home.threads:
        os.environ["OMP_NUM_THREADS"] = home.threads


@cache
def _code(packages: tuple[str, ...]) -> str:
    folders = [Path(str(import_module(name).__file__)).parent for name in packages]
    return digest([[file.read_bytes() for file in sorted(folder.rglob("*.py"))] for folder in folders])


def places(ray: Any) -> tuple[int, dict[str, float]]:
    """Return how many copies of a model a cluster has room for, and what each takes: a GPU, or the processors of a machine."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    machines = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    cores = [count for count in machines if count]
    return (gpus, {"num_gpus": 1}) if gpus else (len(cores), {"num_cpus": min(cores, default=1)})


@contextmanager
def engine(name: str | None, address: str | None) -> Iterator[Callable[[Path], Any] | None]:
    """Yield what gives, for a folder, the :func:`in_order` of a cluster that is joined until then; without a name, nothing."""
    if name is None:
        if address:
            raise InputError("--address needs --engine ray")
        yield None
        return
    with joined(address) as ray:
        yield partial(partial, in_order, ray)


def in_order(ray: Any, folder: Path, work: Callable[[A], B], items: Iterable[A]) -> Generator[B]:
    """Yield ``work(item)`` in order, from all processors of a cluster; what was lost with a machine is done again.

    Items are taken as they are needed. ``work`` leaves files in ``folder``, and does the same again wherever it was broken off.
    """
    home = here("converters")
    remote = ray.remote(max_retries=LOST)(_at_home)
    ahead = max(1, int(ray.cluster_resources().get("CPU", 1))) * AHEAD
    waiting = deque[Any]()
    try:
        for item in items:
            waiting.append(remote.remote(home, folder, work, item))
            if len(waiting) >= ahead:
                yield ray.get(waiting.popleft())
        while waiting:
            yield ray.get(waiting.popleft())
    finally:
        for reference in waiting:
            ray.cancel(reference)


def _at_home(home: Home, folder: Path, work: Callable[[A], B], item: A) -> B:
    settle(home, "converters")
    if not folder.is_dir():
        raise InputError(
            f"{socket.gethostname()}: does not see {folder}: --engine ray needs a disk that all machines share, for that folder "
            "and for the raw files"
        )
    return work(item)
