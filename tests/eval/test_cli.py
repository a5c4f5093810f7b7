"""The command line: what is wrong ends in one sentence and exit code 1, and leaves nothing half-written."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converters.examples import Row

Edit = Callable[[list[dict[str, Any]]], Any]

BAD_PREDICTIONS: list[tuple[str, Edit, str]] = [
    (
        "missing",
        lambda found: found[2:],
        "2 ids of the test file missing, expected one prediction a row; the first is 'demo:category:0'",
    ),
    (
        "extra",
        lambda found: [*found, {"id": "who", "prediction": "x"}],
        "1 id found that the test file does not have; the first is 'who'",
    ),
    ("repeated", lambda found: [*found, found[3]], "1 id found twice or more, expected once; the first is 'alpaca"),
    ("empty", lambda _: b"", "found an empty file"),
    ("blank", lambda _: b"\n\n", "found an empty file"),
    ("broken", lambda found: json.dumps(found[0]).encode() + b"\n{oops\n", "predictions.jsonl:2: found b'{oops"),
    ("no prediction", lambda _: b'{"id": "x"}', "predictions.jsonl:1: found"),
    ("id is a number", lambda _: b'{"id": 5, "prediction": "x"}', "predictions.jsonl:1: found"),
    ("not UTF-8", lambda _: b'{"id": "\xff", "prediction": "x"}', "predictions.jsonl:1: found"),
    ("a list", lambda _: b'["id", "prediction"]', "predictions.jsonl:1: found"),
]


def sentence(found: Any) -> str:
    assert found.exit_code == 1, found.output
    assert found.exception is None or isinstance(found.exception, SystemExit)
    (line,) = found.output.splitlines()
    assert line.startswith("error: ")
    return str(line)


@pytest.mark.parametrize(("edit", "words"), [case[1:] for case in BAD_PREDICTIONS], ids=[c[0] for c in BAD_PREDICTIONS])
def test_bad_predictions(
    cli: Any, test_file: Path, write_predictions: Any, tmp_path: Path, edit: Edit, words: str
) -> None:
    path = write_predictions("run", lambda i, row: row.target)
    made = edit([json.loads(line) for line in path.open()])
    path.write_bytes(made if isinstance(made, bytes) else "\n".join(map(json.dumps, made)).encode())
    out = tmp_path / "out"
    found = sentence(cli("score", "--data", test_file, "--predictions", path, "--out", out)).replace(
        "demo:general", "alpaca"
    )
    assert words in found
    assert not out.exists()


def test_bad_paths_names_and_files(cli: Any, test_file: Path, write_predictions: Any, tmp_path: Path) -> None:
    path, out = write_predictions("run", lambda i, row: row.target), tmp_path / "out"
    given = {"--data": test_file, "--predictions": path, "--out": out}

    def score(**changed: Any) -> str:
        flags = {**given, **{f"--{key}": value for key, value in changed.items()}}
        return sentence(cli("score", *(part for pair in flags.items() for part in pair)))

    assert "found nothing, expected a JSONL file" in score(data=tmp_path / "no.jsonl")
    assert "found a folder, expected a JSONL file" in score(predictions=tmp_path)
    assert "did you mean 'strict'" in score(normaliser="stirct")
    assert "--resamples" in score(resamples=5)
    (tmp_path / "taken").write_text("x")
    assert str(tmp_path / "taken") in score(out=tmp_path / "taken")
    assert "--predictions" in sentence(cli("score", "--data", test_file, "--out", out))
    assert "No such command" in sentence(cli("scoer"))
    assert not out.exists()


def test_predictions_of_another_test_file_or_edited_ones(
    cli: Any, test_file: Path, write_predictions: Any, tmp_path: Path
) -> None:
    for origin, words in (
        ({"test_sha256": "0" * 64}, "test file 000"),
        ({"predictions_sha256": "1" * 64}, "predictions file 111"),
    ):
        path = write_predictions("run", lambda i, row: row.target, **origin)
        assert words in sentence(cli("score", "--data", test_file, "--predictions", path, "--out", tmp_path / "out"))
    path.with_name("predictions.json").write_text("{")
    assert "predictions.json" in sentence(
        cli("score", "--data", test_file, "--predictions", path, "--out", tmp_path / "out")
    )


def test_a_test_row_of_an_unknown_task(cli: Any, test_file: Path, write_predictions: Any, tmp_path: Path) -> None:
    path = write_predictions("run", lambda i, row: row.target)
    path.with_name("predictions.json").unlink()
    test_file.write_text(test_file.read_text().replace('"task":"category"', '"task":"catgory"'))
    assert "did you mean 'category'" in sentence(
        cli("score", "--data", test_file, "--predictions", path, "--out", tmp_path / "o")
    )


def test_score_prints_a_table_and_the_report(
    cli: Any, rows: list[Row], test_file: Path, write_predictions: Any
) -> None:
    path = write_predictions("run", lambda i, row: row.target)
    found = cli("score", "--data", test_file, "--predictions", path, "--out", path.parent)
    assert found.exit_code == 0
    assert "weighted_f1 1.000 1.000 to 1.000" in " ".join(found.output.split())
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "predictions.json",
        "predictions.jsonl",
        "report.html",
        "report.md",
        "rows.jsonl",
        "scores.json",
    ]


def test_predict_without_a_checkpoint(cli: Any, test_file: Path, tmp_path: Path) -> None:
    found = cli(
        "predict", "--checkpoint", tmp_path / "none", "--data", tmp_path / "no.jsonl", "--out", tmp_path / "out"
    )
    assert "found nothing, expected a JSONL file" in sentence(found)


def test_help_answers_at_once() -> None:
    start = time.monotonic()
    code = "import sys; from eval.cli import main; sys.modules.get('scipy') and sys.exit(9); main(['score', '--help'])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "Example: ecom-eval score" in found.stdout
    assert time.monotonic() - start < 5
