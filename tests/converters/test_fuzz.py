"""Every source under dirt: its fixture's rows changed in every way that real files were found to be wrong, and more.

``FUZZ_RECORDS`` sets how many raw rows each source gets at least; ``make fuzz`` asks for 10,000. A file is known by its number:
``FUZZ_FIRST`` begins with another one, so that what failed is made again at once.
"""

import csv
import io
import os
import random
from collections.abc import Sequence
from itertools import count, cycle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from converters import examples, sources, tasks
from converters.core.errors import InputError
from converters.examples import example
from converters.mixture.shards import Tally, tallied
from converters.mixture.spec import possible_tasks
from converters.schema import Outcome, Row
from converters.sources.catalog import detect
from converters.tasks.base import RenderError
from converters.transforms.perturb import FITS, harden
from tests.converters._converted import spells_control
from tests.converters._dirt import FIXTURES, ROWS, cells, dirty_file, parsed, rows_in

RECORDS = int(os.environ.get("FUZZ_RECORDS", "300"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
OPTIONS: dict[str, dict[str, Any]] = {
    "catalog": {"texts": {"Description": "description"}, "attributes": {"Brand": "brand"}}
}


def fixture_files(name: str) -> list[Path]:
    return sorted(FIXTURES.glob(f"{name}.*"))


def contract(row: Row) -> None:
    """Check what every row must keep, whatever it was made from."""
    task = tasks.get(row.task)
    assert examples.gold(row) is not None and task.parse(task.render(examples.gold(row))) == examples.gold(row)
    for turn in row.messages:
        assert not spells_control(turn.content.removeprefix(task.prefix)), turn.content
        assert "\0" not in turn.content
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row


def rows(name: str, outcomes: list[Outcome]) -> None:
    kinds = cycle(FITS)
    for outcome in outcomes:
        for task in possible_tasks(name):
            for record in outcome.records:
                if isinstance(record, tasks.get(task).record):
                    for shaped in (record, harden(record, next(kinds), 0)):
                        try:
                            contract(example(shaped or record, task, name))
                        except RenderError:
                            continue


@pytest.mark.parametrize("name", sources.names())
def test_dirt_is_a_counted_row_or_a_sentence(name: str, tmp_path: Path) -> None:
    fixtures = fixture_files(name)
    assert fixtures, f"source {name!r} has no fixture to fuzz"
    read_dirt(name, fixtures, OPTIONS.get(name, {}), tmp_path)


@pytest.mark.parametrize("preset", detect.names())
def test_dirt_in_an_export_is_a_counted_row_or_a_sentence(preset: str, tmp_path: Path) -> None:
    fixtures = fixture_files(f"presets/{preset}")
    assert fixtures, f"preset {preset!r} has no fixture to fuzz"
    for companion in (FIXTURES / "companions" / preset).glob("*"):
        (tmp_path / companion.name).write_bytes(companion.read_bytes())
    for fixture in fixtures:
        read_dirt("catalog", [fixture], {"preset": preset}, tmp_path)


RUNS = (
    "x",
    " ",
    "-",
    "a-",
    "a_1",
    "1,",
    ", ",
    "A - ",
    "12 cm ",
    "a=b,",
    "a:b:1,",
    '"a",',
    "(",
    "&lt;",
    "/",
    "a > ",
    "\u00a0",
)


@pytest.mark.timeout(120)  # the time of a backtracking expression grows with the square of such a run, or with its cube
@pytest.mark.parametrize("preset", detect.names())
def test_a_long_run_of_one_sign_anywhere_takes_no_long_time(preset: str, tmp_path: Path) -> None:
    for fixture in fixture_files(f"presets/{preset}"):
        if fixture.suffix in (".csv", ".tsv", ".txt"):
            head, lines, _ = parsed(fixture)
            delimiter = max("\t;,", key=head[-1].count)
            made = []
            for number, run in enumerate(RUNS):
                row = next(csv.reader(io.StringIO(lines[number % len(lines)], newline=""), delimiter=delimiter))
                made.append(cells([run * 4000 + "x-1" if cell else "" for cell in row], delimiter))
            path = tmp_path / fixture.name
            path.write_text("\n".join([*head, *lines, *made]), "utf-8")
            tally = Tally()
            list(tallied(sources.read("catalog", [path], {"preset": preset}), tally))
            assert tally.read == tally.used + tally.rejected.total() and tally.read >= len(lines) - 1


def read_dirt(name: str, fixtures: Sequence[Path], options: dict[str, Any], folder: Path) -> None:
    read = used = 0
    paths = [folder / path.name for path in fixtures]
    for number in count(FIRST):
        draw = random.Random(f"{fixtures[0].name} {number}")
        most = ROWS if number % 4 else max(ROWS, RECORDS // 200)
        contents = [dirty_file(draw, fixture, most) for fixture in fixtures]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        try:
            tally = read_files(name, paths, options, sum(map(rows_in, contents, fixtures)))
        except Exception as error:
            error.add_note(f"FUZZ_FIRST={number} FUZZ_RECORDS={RECORDS} make these files again")
            raise
        read, used = read + tally.read, used + tally.used
        if read >= RECORDS:
            break
    assert used > 0


def read_files(name: str, paths: list[Path], options: dict[str, Any], least: int) -> Tally:
    """Read files of at least so many rows as the converters do, and hold what comes of them against what is promised."""
    rejects: list[tuple[str, str]] = []
    tally, found = Tally(reject=lambda where, reason: rejects.append((where, reason))), []
    try:
        found += tallied(sources.read(name, paths, options), tally)
    except InputError as error:
        assert str(error).isprintable() and len(str(error)) < 2000
        return tally
    assert least <= tally.read == tally.used + tally.rejected.total()
    assert all(tally.rejected) and len(rejects) <= tally.rejected.total() + sum(bool(each.detail) for each in found)
    rows(name, found)
    return tally
