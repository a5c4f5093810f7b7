"""Replay of an earlier mix (``source: mix``): rows that a model was already trained on, so that it does not forget them.

Raw format: the folder of a mix that ``ecom-data build`` wrote, whole, with its manifest. Its rows are taken as they are, to the
byte, after the contract has been checked again, and each stays in its split. Of an entry's ``limit`` or ``weight`` a row may be
left out, but not what it says of its product: what was trained on then is in no new test, and what was held out in no training.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from converters import check, tasks
from converters.earlier import MANIFEST, account, folders
from converters.errors import InputError
from converters.examples import Row, gold
from converters.jsonl import sha256
from converters.outcome import Outcome
from converters.split import SPLITS

URL = "a folder of ecom-data build"
LICENCE = "those of the mix"
FILES = "train.jsonl, validation.jsonl, test.jsonl, manifest.json"
TASKS = tuple(tasks.names())


def read(paths: Sequence[Path]) -> Iterator[Outcome]:
    """Yield one outcome a row; a mix that is not whole, or not what its manifest describes, is an ``InputError``."""
    for folder in folders(paths):
        splits = account(folder)["splits"]
        for name in SPLITS:
            path = folder / f"{name}.jsonl"
            if path not in paths or not path.is_file():
                raise InputError(
                    f"{folder}: found no {path.name} among the files, expected a whole mix: name its folder"
                )
            if sha256(path) != splits[name]["sha256"]:
                raise InputError(f"{path}: found other bytes than {folder / MANIFEST} describes; build the mix again")
            for line, row in check.rows(path):
                yield _outcome(f"{path}:{line}", row, name)


def _outcome(where: str, row: Row | check.Problem, split: str) -> Outcome:
    problem = row if isinstance(row, check.Problem) else next(check.problems(row), None)
    if isinstance(row, check.Problem) or problem:
        assert problem
        return Outcome(where, reason=problem.kind, detail=problem.text)
    task = tasks.get(row.task)
    answer = gold(row)
    if task.parse(task.render(answer)) != answer:
        return Outcome(where, reason="answer cannot be written and read back")
    return Outcome(where, (row,), split=split)
