"""Worker processes: their results in order, their errors as they are, and none of them left over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path

import pytest

from converters.core.console import AHEAD, in_processes, pool_of
from converters.core.errors import InputError


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import this file, whose functions they run: pytest has imported it without a place in the search path."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def _second_first(path: Path) -> str:
    """Wait for the second one if this is the first."""
    while path.name == "first" and not path.with_name("second").exists():
        time.sleep(0.01)
    path.touch()
    return path.name


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items_and_as_many_items_wait_as_are_needed(workers: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    with closing(in_processes(float, items(), workers)) as results:
        assert [next(results) for _ in range(100)] == [float(n) for n in range(100)]
        assert len(taken) <= 100 + workers * AHEAD
        assert [*results] == [float(n) for n in range(100, 1000)]
    assert not active_children()


def test_a_later_item_does_not_wait_for_an_earlier_one(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("first", "second")]
    assert [*in_processes(_second_first, paths, 2)] == ["first", "second"]


def _process(number: int) -> int:
    return os.getpid()


def test_the_same_processes_do_all_the_work_of_a_block() -> None:
    with pool_of(2) as pool:
        found = {process for _ in range(3) for process in pool(_process, range(20))}
        assert len(found) <= 2 and os.getpid() not in found
    assert not active_children()


def test_work_is_begun_before_its_results_are_taken_but_by_one_process(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with pool_of(2) as pool:
        pool(Path.touch, [second])
        assert [*pool(_second_first, [first])] == ["first"]  # which waits for the second
    with pool_of(1) as pool:
        results = pool(Path.touch, [tmp_path / "third"])
        assert not (tmp_path / "third").exists()
        assert [*results] == [None] and (tmp_path / "third").exists()


def _work(number: int) -> int:
    """Work on 0, fail at 1, die of 2, and be at any other number for ever."""
    if number == 1:
        raise InputError("raw.jsonl: broken")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    while number > 2:
        signal.pause()
    return number


def test_what_is_at_work_is_stopped_when_nobody_wants_more() -> None:
    with closing(in_processes(_work, [0, 3, 4], 2)) as results:
        assert next(results) == 0
        assert len(active_children()) == 2
    assert not active_children()


@pytest.mark.parametrize(("number", "sentence"), [(1, "raw.jsonl: broken"), (2, "fewer --workers")])
def test_an_error_or_the_end_of_one_process_ends_all(number: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        list(in_processes(_work, [0, number, 3], 2))
    assert not active_children()


def _program(*lines: str) -> list[str]:
    return [sys.executable, "-c", "\n".join(("from converters.core.console import in_processes", *lines))]


USUAL = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.mark.parametrize("work", ["time.sleep, [0, 600, 600]", "count, [0, 1, 1]"])
def test_processes_end_with_this_one_even_if_it_is_killed(work: str) -> None:
    lines = ("import time", "from tests.converters.test_processes import count", f"results = in_processes({work}, 2)")
    command = _program(*lines, "print(next(results), flush=True)", "time.sleep(600)")
    with subprocess.Popen(command, env=USUAL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout and process.stdout.readline()
        process.kill()
        process.communicate(timeout=60)  # the output ends with the last process that has it


def count(step: int) -> int:
    """Count to a million by steps: at once by 0, for ever by others."""
    number = 0 if step else 10**6
    while number < 10**6:
        number = (number + step) % 1000
    return number


def test_a_late_signal_of_what_its_parent_wrote_ends_no_process() -> None:
    assert [*in_processes(_signalled, range(4), 2)] == [0, 1, 2, 3]


def _signalled(number: int) -> int:
    os.kill(os.getpid(), signal.SIGIO)
    return number


def test_ctrl_c_is_left_to_the_first_process_from_the_very_start() -> None:
    """Whatever processes are started on the way: in a program of its own none is there yet."""
    lines = (
        "import signal",
        "from functools import partial",
        "held = partial(signal.pthread_sigmask, signal.SIG_BLOCK)",
    )
    command = _program(*lines, "print(*map(int, next(in_processes(held, [[]], 2))))", "print(*map(int, held([])))")
    output = subprocess.run(command, env=USUAL, capture_output=True, text=True, check=True).stdout
    inherited, own = output.splitlines()
    assert str(int(signal.SIGINT)) in inherited.split() and not own


def test_an_error_in_the_items_comes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_processes(_work, (1 // n for n in (2, 0)), 2))
    assert not active_children()


def test_a_program_without_a_guard_and_a_folder_of_a_long_name_can_have_processes(tmp_path: Path) -> None:
    program, long = tmp_path / "program.py", tmp_path / ("long" * 25)
    program.write_text("from converters.core.console import in_processes\nprint(*in_processes(float, range(9), 2))\n")
    long.mkdir()
    usual = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(long)}
    for words, given in ([str(program)], None), (["-"], program.read_text()):
        command = [sys.executable, *words]
        run = subprocess.run(command, input=given, env=usual, capture_output=True, text=True, timeout=60)
        assert (run.stdout, run.stderr) == ("0.0 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0\n", "")
    assert not [*long.iterdir()]


def test_processes_run_the_code_of_this_one_and_not_what_lies_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise SystemError")
    (tmp_path / "converters").mkdir()
    (tmp_path / "converters" / "__init__.py").write_text("raise SystemError")
    program = tmp_path / "bin" / "program.py"
    program.parent.mkdir()
    program.write_text("from converters.core.console import in_processes\nprint(*in_processes(float, range(3), 2))\n")
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    usual["PYTHONPATH"] = str(Path(__file__).parents[2])
    run = subprocess.run([sys.executable, program], cwd=tmp_path, env=usual, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("0.0 1.0 2.0\n", "")
