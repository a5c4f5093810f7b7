"""The command line: what is wrong ends in one sentence and exit code 1, and leaves nothing half-written."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from converters.io import jsonl
from converters.schema import Row

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
    ("a bomb for a line", lambda _: b"[" * 10_000, "predictions.jsonl:1: found b'[[["),
    (
        "a bomb in a line",
        lambda _: b'{"id": "x", "prediction": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "jsonl:1: found",
    ),
    (
        "a smaller bomb",
        lambda _: b'{"id": "x", "prediction": ' + b"[" * 500 + b"]" * 500 + b"}",
        "predictions.jsonl:1: found JSON nested more than 100 levels, expected a text",
    ),
    ("candidates are no list", lambda _: b'{"id": "x", "prediction": "x", "candidates": 5}', "jsonl:1: found"),
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


INVALID: list[tuple[Any, str]] = [
    (None, "no text but null"),
    (5, "no text but a number"),
    (1.5, "no text but a number"),
    (True, "no text but true or false"),
    (["x"], "no text but a list"),
    ({"Brand": {"x": 1}}, "no text but an object"),
    ("", "empty"),
    (" \n\t", "empty"),
    ("\x00", "not JSON"),
    ("x" * 2**20, "not JSON"),
    ("[" * 10_000, "JSON nested too deep"),
    ('{"Brand": ' * 10_000 + "1" + "}" * 10_000, "JSON nested too deep"),
    ('```json\n{"Brand": "Acme"}\n```', "JSON in a code fence"),
    ('Here it is: {"Brand": "Acme"} as asked.', "not JSON"),
    ('["Acme"]', "no JSON object"),
    ('{"Brand": "Acme", "Brand": "Acme"}', "an attribute named twice"),
    ('{"Brand": {"name": "Acme"}}', "a value of another kind"),
    ('{"Brand": NaN}', "a value of another kind"),
    ('{"Brand": "\\ud800"}', "a value of another kind"),
]


def test_answers_that_are_no_answers_are_counted_by_reason(
    cli: Any, tmp_path: Path, rows: list[Row], test_file: Path
) -> None:
    asked = [row for row in rows if row.task == "attributes"]
    more = [msgspec.structs.replace(asked[i % 12], id=f"more:{i}", group=f"g{i}") for i in range(len(INVALID))]
    jsonl.write_lines(test_file, more)
    said, out = tmp_path / "said.jsonl", tmp_path / "out"
    lines = [json.dumps({"id": row.id, "prediction": answer}) for row, (answer, _) in zip(more, INVALID, strict=True)]
    said.write_text("\n".join(lines))
    found = cli("score", "--data", test_file, "--predictions", said, "--out", out, "--resamples", 100)
    assert found.exit_code == 0, found.output
    task = json.loads((out / "scores.json").read_text())["tasks"]["attributes"]
    assert (task["n"], task["invalid"], task["metrics"]["micro_f1"]["value"]) == (len(more), len(more), 0)
    assert task["reasons"] == dict(Counter(reason for _, reason in INVALID).most_common())
    assert task["salvage"]["recovered"] == 2
    scored = [json.loads(line) for line in (out / "rows.jsonl").open()]
    assert [(row["prediction"], row["reason"]) for row in scored] == [*INVALID]
    assert not any(row["valid"] for row in scored)


def test_a_judges_marks_and_candidates_are_read_beside_the_predictions(
    cli: Any, tmp_path: Path, rows: list[Row], test_file: Path
) -> None:
    said, out = tmp_path / "eval" / "predictions.jsonl", tmp_path / "eval"
    ranked = {"category": ["x", "y", "z"]}
    jsonl.write_lines(
        said, [{"id": r.id, "prediction": r.target, "candidates": [r.target, *ranked.get(r.task, [])]} for r in rows]
    )
    marks = out / "judgements.jsonl"
    jsonl.write_lines(marks, [{"id": r.id, "relevance": 1, "grounded": None} for r in rows if r.task == "answer"])
    given = ("score", "--data", test_file, "--predictions", said, "--out", out, "--resamples", 100)
    (out / "judgements.json").write_text('{"judge": "someone", "predictions_sha256": "0"}')
    assert "belongs to another predictions file: found 0" in sentence(cli(*given))
    (out / "judgements.json").write_text('{"judge": "someone", "prompt_sha256": "1"}')
    assert cli(*given).exit_code == 0
    found = json.loads((out / "scores.json").read_text())
    assert found["provenance"]["judge"]["judge"] == "someone"
    assert found["tasks"]["answer"]["metrics"]["answer_relevance"]["value"] == 1
    assert found["tasks"]["answer"]["metrics"]["answer_relevance"]["floor_by"] == "abstain"
    assert found["tasks"]["answer"]["unavailable"]["groundedness"] == "no judgements.jsonl beside the predictions"
    assert found["tasks"]["category"]["metrics"]["top_3_accuracy"]["value"] == 1
    assert "found a row with 4" in found["tasks"]["category"]["unavailable"]["top_5_accuracy"]
    marks.write_text('{"id": "x", "relevance": 7}')
    assert "judgements.jsonl:1: found" in sentence(cli(*given))


def test_a_training_split_divides_what_it_shows(
    cli: Any, tmp_path: Path, test_file: Path, write_predictions: Any
) -> None:
    path, train = write_predictions("run", lambda i, row: row.target), tmp_path / "train.jsonl"
    given = ("score", "--data", test_file, "--predictions", path, "--out", path.parent, "--resamples", 100)
    assert "is the test file itself" in sentence(cli(*given, "--train", test_file))
    train.write_text("\n".join(test_file.read_text().splitlines()[:30]))
    assert cli(*given, "--train", train).exit_code == 0
    found = json.loads((path.parent / "scores.json").read_text())
    assert found["provenance"]["train_sha256"] == jsonl.sha256(train)
    kinds = {one["kind"] for one in found["tasks"]["attributes"]["slices"]}
    assert {"attribute", "seen"} <= kinds


def test_bad_paths_names_and_files(cli: Any, test_file: Path, write_predictions: Any, tmp_path: Path) -> None:
    path, out = write_predictions("run", lambda i, row: row.target), tmp_path / "out"
    given = {"--data": test_file, "--predictions": path, "--out": out}

    def score(**changed: Any) -> str:
        flags = {**given, **{f"--{key}": value for key, value in changed.items()}}
        return sentence(cli("score", *(part for pair in flags.items() for part in pair)))

    assert "no.jsonl: no such file" in score(data=tmp_path / "no.jsonl")
    assert "is a folder, expected a file" in score(predictions=tmp_path)
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
        ({"test_sha256": "0" * 64}, "another test file: found 000"),
        ({"predictions_sha256": "1" * 64}, "another predictions file: found 111"),
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
    assert "weighted_f1 1.000 none: needs 10 groups, found 6 0." in " ".join(found.output.split())
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "predictions.json",
        "predictions.jsonl",
        "report.html",
        "report.md",
        "report.sha256",
        "rows.jsonl",
        "scores.json",
    ]


def test_predict_without_a_checkpoint_or_rows(cli: Any, tmp_path: Path) -> None:
    for checkpoint, said in (
        (tmp_path / "none", "none: no such folder"),
        (tmp_path, "no.jsonl: no such file"),
    ):
        words = ("--checkpoint", checkpoint, "--data", tmp_path / "no.jsonl", "--out", tmp_path / "out")
        assert said in sentence(cli("predict", *words))


def test_help_answers_at_once() -> None:
    """Nothing is loaded that takes long to load."""
    slow = {"bert_score", "datasets", "pandas", "scipy", "sentence_transformers", "torch", "transformers"}
    code = (
        f"import sys; from eval.cli import main; {slow} & sys.modules.keys() and sys.exit(9); main(['score', '--help'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "Example: ecom-eval score" in found.stdout


def test_a_checkpoint_that_is_not_there_is_said_before_anything_is_loaded(test_file: Path, tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    code = (
        "import sys; from click.testing import CliRunner; from eval.cli import main; "
        "print(CliRunner().invoke(main, sys.argv[1:]).output, [n for n in ('torch', 'huggingface_hub') if n in sys.modules])"
    )
    for checkpoint, expected in (
        ("runs/mine/merged", "make it with 'make merge-mine'"),
        ("runs/yours/merged", "make it with 'make merge-yours'"),
        ("runs/mine/adapter", "name one, or a model on the hub"),
    ):
        words = ["predict", "--checkpoint", checkpoint, "--data", str(test_file), "--out", "out"]
        command = [sys.executable, "-c", code, *words]
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
        assert said == [f"error: {checkpoint}: no such folder; {expected}", " []"]
