"""One file for an answer kind: a task with a new kind is two files, and nobody else looks at an answer's shape."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from converters import tasks
from eval import answers

ROOT = Path(__file__).resolve().parents[3]
SHAPES = {"tuple", "dict", "bool", "Order", "Reply"}
# Names under which code holds an answer; a type test of anything else, such as a YAML value, is nobody's concern here.
ANSWERS = {"answer", "answers", "gold", "golds", "near", "reply", "verdict", "path"}

TASK = '''"""``[CLASSIFY]``: how many levels deep a product's category lies, as a number."""

from converters.schema import Listing
from converters.tasks.base import Task


def prompt(record: Listing) -> str:
    """Return the question and the product's texts."""
    return "\\n".join(["[CLASSIFY] How many levels?", *(f"{t.label}: {t.text}" for t in record.texts)])


TASK = Task(
    prefix="[CLASSIFY]",
    record=Listing,
    prompt=prompt,
    answer=lambda record: len(record.path),
    render=str,
    parse=lambda text: int(text) if text.strip().isdecimal() else None,
    kind="mine",
    metrics=("accuracy", "macro_f1"),
    style_of="category",
)
'''
KIND = '''"""A number."""

import re

from eval.answers.base import Kind, commonest, one_of


def predictors(examples):
    """Return the commonest number."""
    usual = commonest(e.gold for e in examples)
    return {"usual number": lambda _: usual}


KIND = Kind(
    reason=lambda text: "no number",
    predictors=predictors,
    lenient=lambda text: iter(re.findall(r"[0-9]+", text)),
    limit=lambda row, paths: one_of("123456789"),
    labels=lambda examples, times: {"parity": ["odd" if e.gold % 2 else "even" for e in examples]},
)
'''


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the packages with the two files in it."""
    for name in ("converters", "eval"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "converters" / "tasks" / "mine.py").write_text(TASK)
    (tmp_path / "eval" / "answers" / "mine.py").write_text(KIND)
    return tmp_path


def run(house: Path, package: str, *args: object) -> str:
    command = [sys.executable, "-c", f"from {package}.cli import main; main()", *map(str, args)]
    env = os.environ | {"PYTHONPATH": str(house)}
    done = subprocess.run(command, cwd=house, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    return done.stdout


def test_a_new_kind_of_answer_is_two_files(house: Path) -> None:
    paths = ["Home", "Home > Kitchen", "Home > Kitchen > Mugs"]
    lines = [f"P{i},Mug {i} made of clay no. {i},{paths[i % 3]}" for i in range(60)]
    (house / "shop.csv").write_text("\n".join(["id,title,category", *lines]) + "\n")
    run(house, "converters", "convert", "catalog", "shop.csv", "--task", "mine", "--out", "test.jsonl")
    rows = [json.loads(line) for line in (house / "test.jsonl").read_text().splitlines()]
    assert {row["messages"][-1]["content"] for row in rows} == {"1", "2", "3"}
    for name, answer in (("good", "{}"), ("worse", "about {}")):
        texts = [row["messages"][-1]["content"] if i % 2 else answer for i, row in enumerate(rows)]
        texts = [text.format(row["messages"][-1]["content"]) for text, row in zip(texts, rows, strict=True)]
        lines = [{"id": row["id"], "prediction": text} for row, text in zip(rows, texts, strict=True)]
        (house / name).mkdir()
        (house / name / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        files = ["--data", "test.jsonl", "--predictions", f"{name}/predictions.jsonl", "--out", name]
        run(house, "eval", "score", *files, "--resamples", 200)
    scores = {
        name: json.loads((house / name / "scores.json").read_bytes())["tasks"]["mine"] for name in ("good", "worse")
    }
    floor = scores["good"]["metrics"]["accuracy"]
    assert (floor["value"], round(floor["floor"], 3), floor["floor_by"]) == (1, 0.333, "usual number")
    assert scores["worse"]["metrics"]["accuracy"]["value"] == 0.5
    assert scores["worse"]["reasons"] == {"no number": len(rows) // 2}
    assert scores["worse"]["salvage"]["metrics"]["accuracy"]["value"] == 1
    assert {s["name"] for s in scores["good"]["slices"] if s["kind"] == "parity"} == {"odd", "even"}
    assert "mine" in (house / "worse" / "report.md").read_text()
    run(house, "eval", "compare", "worse", "good", "--out", "compared", "--resamples", 200)
    (pair, *_) = json.loads((house / "compared" / "compare.json").read_bytes())["pairs"]
    assert (pair["task"], pair["metric"], pair["difference"]) == ("mine", "accuracy", 0.5)


def test_every_task_names_a_kind_and_every_kind_is_named() -> None:
    assert {tasks.get(name).kind for name in tasks.names()} == {*answers.names()}


def faults(source: str, name: str = "") -> Iterator[str]:
    """Yield the lines of code that look at an answer's type, and tables keyed by the names of tasks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            held, types = (set(re.findall(r"\w+", ast.unparse(argument))) for argument in node.args)
            if {"Order", "Reply"} & types or (SHAPES & types and ANSWERS & held):
                yield f"{name}:{node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)} & {*tasks.names()}
            if len(keys) > 1:
                yield f"{name}:{node.lineno}: a table keyed by {sorted(keys)}"


def test_nobody_else_looks_at_the_shape_of_an_answer() -> None:
    files = [path for path in (ROOT / "eval").rglob("*.py") if path.parent != ROOT / "eval" / "answers"]
    assert len(files) > 20
    assert [fault for path in files for fault in faults(path.read_text("utf-8"), path.name)] == []


@pytest.mark.parametrize(
    "line",
    [
        "isinstance(example.gold, tuple)",
        "isinstance(gold[0], dict)",
        "isinstance(examples[0].answer, bool)",
        "isinstance(x, Reply)",
        "isinstance(e.gold, tuple | str)",
        'LIMITS = {"attributes": 1, "choice": 2}',
    ],
)
def test_the_search_finds_what_it_looks_for(line: str) -> None:
    assert list(faults(line))
