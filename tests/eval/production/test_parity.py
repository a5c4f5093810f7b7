"""The gate over a server: the rows that it is asked, the merged model's answers to them, and a server of something else."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from converters.io import jsonl
from eval.comparison import parity
from eval.production.parity import sample
from tests.eval._serving import Answered, chat, serving
from tests.eval.conftest import _rows

FLAGS = ("--max-new-tokens", 12, "--rows", 40)
ROWS = [row for row in _rows(20) if row.task != "category_levels"]
Serve = Callable[[Callable[[int, str], str]], AbstractContextManager[str]]


@pytest.fixture
def run(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A merged run with a mixture of 180 rows in each split; without the walk, whose next question holds an answer."""
    monkeypatch.chdir(tmp_path)
    found = Path("runs/mine")
    found.mkdir(parents=True)
    (found / "merged").symlink_to(tiny_checkpoint)
    (found / "recipe.yaml").write_text("{}")
    (found / "run.json").write_text(json.dumps({"started": "2026-01-01", "data": [{"name": "data/mix/train.jsonl"}]}))
    for name in ("validation", "test"):
        jsonl.write_lines(Path(f"data/mix/{name}.jsonl"), ROWS)
    return found


@pytest.fixture(scope="module")
def known(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the checkpoint answers, by the last message of the prompt."""
    from click.testing import CliRunner

    from eval.cli import main

    folder = tmp_path_factory.mktemp("known")
    jsonl.write_lines(folder / "rows.jsonl", ROWS)
    words = ["predict", "--checkpoint", tiny_checkpoint, "--data", folder / "rows.jsonl", "--out", folder, *FLAGS[:2]]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    lines = map(json.loads, (folder / "predictions.jsonl").read_text("utf-8").splitlines())
    said = {line["id"]: line["prediction"] for line in lines}
    return {row.prompt[-1]["content"]: said[row.id] for row in ROWS}


@pytest.fixture
def serve(known: dict[str, str]) -> Serve:
    """Serve the checkpoint's answers, as a test's function changes the n-th that is asked for."""

    def server(change: Callable[[int, str], str]) -> AbstractContextManager[str]:
        asked = iter(range(10_000))

        def answer(body: dict[str, Any], headers: dict[str, str]) -> Answered:
            assert body["model"] == "mine" and body["temperature"] == 0
            return chat(change(next(asked), known[body["messages"][-1]["content"]]), usage=None)

        return serving(answer)

    return server


def test_a_server_that_answers_as_the_merged_model_passes(cli: Any, run: Path, serve: Serve) -> None:
    with serve(lambda n, text: text) as url:
        for _ in range(2):
            done = cli("parity", "mine", "--base-url", url, *FLAGS)
            assert done.exit_code == 0, done.output
            assert "40 of 40 answers are equal: 1.000" in done.output and "differs" not in done.output
            assert done.output.count("not shown to differ") + done.output.count("no verdict") > 5
    found = json.loads((run / "parity" / "parity.json").read_bytes())
    assert found["answers"]["equal"] == 40 and found["answers"]["high"] == 1 and found["at_least"] == 0.95
    assert {metric["difference"] for metric in found["metrics"]} == {0}


def test_a_server_that_answers_otherwise_fails_and_names_the_rows(cli: Any, run: Path, serve: Serve) -> None:
    with serve(lambda n, text: text if n % 4 else "another adapter") as url:
        done = cli("parity", "mine", "--base-url", url, "--concurrency", 1, *FLAGS)
        assert done.exit_code == 1
        assert "30 of 40 answers are equal: 0.750" in done.output
        assert done.output.count("served 'another adapter'") == 3
        assert str(done.output).splitlines()[-1] == (
            f"error: {url}: mine gives 30 of 40 answers that runs/mine/merged gives (0.750), expected a share of at least 0.95: "
            "it serves other weights, another base, or another precision"
        )
        low = cli("parity", "mine", "--base-url", url, "--concurrency", 1, "--at-least", 0.7, *FLAGS)
    assert low.exit_code == 0, low.output


def test_what_the_merged_model_answered_is_not_predicted_again(
    cli: Any, run: Path, serve: Serve, known: dict[str, str]
) -> None:
    where = ("--data", "data/mix/test.jsonl", *FLAGS[:2])
    with serve(lambda n, text: "another adapter") as url:
        words = ("--backend", "openai", "--base-url", url, "--model", "mine")
        assert cli("predict", "--checkpoint", run / "merged", "--out", run / "eval-0", *where, *words).exit_code == 0
    assert cli("predict", "--checkpoint", run / "merged", "--out", run / "eval", *where).exit_code == 0
    with serve(lambda n, text: text) as url:
        done = cli("parity", "mine", "--base-url", url, *where, *FLAGS[2:])
        assert done.exit_code == 0 and "40 of 40" in done.output, done.output
        record = json.loads((run / "parity" / "merged" / "predictions.json").read_bytes())
        assert record["taken_from"] == "runs/mine/eval", "not an endpoint's, which may be anything"
        done = cli("parity", "mine", "--base-url", url, *where[:2], "--max-new-tokens", 6, *FLAGS[2:])
    record = json.loads((run / "parity" / "merged" / "predictions.json").read_bytes())
    assert done.exit_code == 1 and "taken_from" not in record, "cut elsewhere: another question"


def test_what_cannot_be_asked_is_one_sentence(cli: Any, run: Path) -> None:
    url = ("--base-url", "http://127.0.0.1:9/v1")
    for words, said in (
        (("none", *url), "runs/none: no such run"),
        (("mine", *url, "--retries", 0), "http://127.0.0.1:9/v1: no connection, or one that broke off"),
        (("mine", *url, "--data", "none.jsonl"), "none.jsonl"),
    ):
        done = cli("parity", *words)
        assert done.exit_code == 1 and str(done.output).splitlines()[-1].startswith(f"error: {said}"), done.output
    Path("data/mix/validation.jsonl").unlink()
    assert "runs/mine: the validation split of its mixture is not here" in cli("parity", "mine", *url).output
    (run / "merged").unlink()
    assert "runs/mine/merged: no such folder; make it with 'make merge-mine'" in cli("parity", "mine", *url).output


def test_a_server_that_goes_away_leaves_no_verdict(cli: Any, run: Path, known: dict[str, str]) -> None:
    asked = iter(range(100))

    def answer(body: dict[str, Any], headers: dict[str, str]) -> Answered:
        given = chat(known[body["messages"][-1]["content"]], usage=None)
        return Answered(b"going down", 503) if next(asked) in (41, 44) else given

    with serving(answer) as url:
        words = ("parity", "mine", "--base-url", url, "--concurrency", 1, "--retries", 0, *FLAGS)
        assert cli(*words).exit_code == 0 and (run / "parity" / "parity.json").is_file()
        done = cli(*words)
    assert done.exit_code == 1 and "2 of 40 prompts got no answer; the first, row " in done.output
    assert str(done.output).splitlines()[-1].endswith(": answered 503: going down"), "nothing is kept of it"
    assert not (run / "parity" / "parity.json").exists()


def test_a_sample_has_of_every_task_alike_whatever_the_order() -> None:
    rows = [row for row in _rows(30) if row.task != "category" or int(row.id.rpartition(":")[2]) < 2]
    drawn = sample(rows, 101)
    counts = {task: sum(row.task == task for row in drawn) for task in {row.task for row in rows}}
    assert counts.pop("category") == 2 and {*counts.values()} == {11}
    assert drawn == sample(rows[::-1], 101) and drawn[:40] == sample(rows, 40)
    assert len(sample(rows, 10_000)) == len(rows)


def test_the_share_has_an_interval_over_products() -> None:
    rows = _rows(20)
    ours: dict[str, str | None] = {row.id: row.target for row in rows}
    theirs = {**ours, **dict.fromkeys((row.id for row in rows if row.group == "asin:3"), None)}
    found = parity.measure(rows, ours, theirs)
    assert (found.rows, found.equal, found.share) == (200, 180, 0.9) and found.tasks["category"] == (18, 20)
    assert found.low is not None and found.high is not None and found.low < 0.7 < 0.95 < found.high  # ten products
    assert {row.served for row in found.differences} == {None} and len(found.differences) == 20
    assert parity.measure(rows[:10], ours, theirs).reason == "needs 10 groups, found 1"
