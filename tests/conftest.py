"""Fixtures that every test may use."""

import gc
import os
import signal
import sys
from pathlib import Path

import absl.logging
import pytest
from hypothesis import settings

# rouge-score brings absl, whose handler holds the stderr of its import and closes it when Axolotl sets up logging:
# here that would be pytest's own capture, and the whole run would die without a word.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__

# The collection imports what stays to the end: the garbage collector leaves it out, while it comes and from then on.
gc.disable()

# A job in the background of a script starts with Ctrl-C ignored, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same cases in every run: new ones are looked for by make fuzz, not by the run that a change waits for.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.register_profile("new", database=None, deadline=None)
settings.load_profile("new" if "FUZZ_RECORDS" in os.environ else "same")

# Servers of tests are on loopback, whatever proxy there is.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

ROOT = Path(__file__).resolve().parents[1]
LONGEST = "test_families.py"
MODULES = pytest.StashKey[int]()  # how many there were when garbage collection was last told to leave them out


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case by its argument where the value is bytes: a packed file's carry the second it was packed in.

    Two workers that collect in two different seconds would else disagree about the tests there are, and stop.
    """
    return argname if isinstance(val, bytes) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look for garbage again, among what the tests make."""
    leave_out_imports(session.config)
    gc.enable()


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Leave out what a test has imported, too: libraries that train and merge collect garbage many times."""
    if len(sys.modules) > item.config.stash[MODULES] + 300:
        leave_out_imports(item.config)


def leave_out_imports(config: pytest.Config) -> None:
    """Let the garbage collector pass over all that is there by now."""
    gc.collect()
    gc.freeze()
    config.stash[MODULES] = len(sys.modules)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: at the end one worker would train for minutes, and the other have nothing to do.

    The longest file comes first of all: by its end the run that many others look at is there, and no worker waits for it.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name != LONGEST, item.path not in slow))


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Small raw files, written by hand, one for each source."""
    return ROOT / "tests" / "fixtures"


@pytest.fixture(scope="session")
def real() -> Path:
    """Real rows of public datasets, which are not part of the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real rows at {folder}")
    return folder
