"""Predictions from endpoints: a real server on loopback, then servers that fail, forget or serve something else."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from converters.io import jsonl
from converters.schema import Row
from eval.inference.prompts import questions
from tests.eval._serving import Answered, chat, serving

BIN = Path(sys.executable).parent
Body = dict[str, Any]


@pytest.fixture
def products() -> int:
    return 3


@pytest.fixture(scope="session")
def real_server(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``transformers serve`` with the tiny checkpoint."""
    log = tmp_path_factory.mktemp("server") / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [BIN / "transformers", "serve", tiny_checkpoint, "--device", "cpu", "--host", "127.0.0.1", "--port", port]
    with (
        log.open("w") as file,
        subprocess.Popen([*map(str, words)], stdout=file, stderr=subprocess.STDOUT) as process,
    ):
        try:
            assert up(f"http://127.0.0.1:{port}/health", process), log.read_text()[-2000:]
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def up(url: str, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            time.sleep(0.2)
    return False


@pytest.fixture
def ask(cli: Any, test_file: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run ``predict`` with an endpoint on the test file."""

    def run(url: str, out: str, *flags: object, checkpoint: object = "m") -> Any:
        where = ("--data", test_file, "--out", tmp_path / out, "--backend", "openai", "--base-url", url)
        return cli("predict", "--checkpoint", checkpoint, *where, "--max-new-tokens", 12, *flags)

    return run


def result(folder: Path) -> tuple[bytes, Body]:
    return (folder / "predictions.jsonl").read_bytes(), json.loads((folder / "predictions.json").read_text())


def test_a_real_server_answers_as_the_checkpoint_does(
    cli: Any, ask: Any, real_server: str, tiny_checkpoint: Path, rows: list[Row], test_file: Path, tmp_path: Path
) -> None:
    found = ask(real_server, "served", "--concurrency", 4, checkpoint=tiny_checkpoint)
    assert found.exit_code == 0, found.output
    where = ("--checkpoint", tiny_checkpoint, "--data", test_file, "--out", tmp_path / "own")
    assert cli("predict", *where, "--max-new-tokens", 12, "--batch-size", 1).exit_code == 0
    (served, record), (own, other) = result(tmp_path / "served"), result(tmp_path / "own")
    assert served == own
    for key in (
        "prompt_tokens",
        "longest_prompt",
        "generated_tokens",
        "prompts",
        "template_sha256",
        "decoding",
        "cut_at_max_new_tokens",
    ):
        assert record[key] == other[key], key
    assert record["backend"] == {"name": "openai", "base_url": real_server, "model": str(tiny_checkpoint)}
    assert 0 < record["latency_seconds"]["p50"] <= record["latency_seconds"]["p95"]
    assert record["seconds"] > 0 and record["generated_tokens_per_second"] > 0


def test_a_real_server_without_log_probabilities_is_no_error(
    ask: Any, real_server: str, tiny_checkpoint: Path, rows: list[Row], tmp_path: Path
) -> None:
    found = ask(real_server, "sure", "--concurrency", 4, "--confidence", checkpoint=tiny_checkpoint)
    assert found.exit_code == 0, found.output
    lines, record = result(tmp_path / "sure")
    assert b'"confidence"' not in lines and 0 < record["confidence"]["not_available"] <= len(rows)
    assert found.output.count("confidence: not available for") == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--candidates", 2), r"found 1 answers, expected 4 \(n\): the server cannot send several"),
        (("--constrain",), r"answered 422: .*structured_outputs|which the request did not allow"),
    ],
)
def test_what_a_real_server_cannot_do_is_noticed(
    ask: Any, real_server: str, tiny_checkpoint: Path, tmp_path: Path, flags: tuple[object, ...], sentence: str
) -> None:
    """This one leaves out in silence what it does not know."""
    found = ask(real_server, "out", "--concurrency", 1, *flags, checkpoint=tiny_checkpoint)
    (error,) = [line for line in found.output.splitlines() if line.startswith("error: ")]
    assert found.exit_code == 1 and re.search(sentence, error), error
    assert not (tmp_path / "out" / "predictions.jsonl").exists()


def test_the_served_template_has_to_be_the_checkpoints(ask: Any, tiny_checkpoint: Path) -> None:
    with serving(lambda *_: chat("x")) as url:
        found = ask(url, "out", checkpoint=tiny_checkpoint)
    assert found.exit_code == 1
    assert re.search(r"the server counted 5 prompt tokens where the checkpoint's chat template makes \d+", found.output)


def last(body: Body) -> str:
    return str(body["messages"][-1]["content"])


def test_failures_stop_the_run_at_its_end_and_the_next_one_asks_only_for_them(
    ask: Any, rows: list[Row], tmp_path: Path
) -> None:
    asked: list[str] = []
    broken = True

    def answer(body: Body, _: Any) -> Answered:
        asked.append(last(body))
        return Answered(b"no", status=500) if broken and "[QA]" in last(body) else chat(f"said {len(last(body))}")

    with serving(answer) as url:
        whole = ask(url, "never broken", "--retries", 0) if not broken else None
        found = ask(url, "out", "--retries", 0)
        assert found.exit_code == 1 and whole is None
        questions_ = sum("[QA]" in last({"messages": row.prompt}) for row in rows)
        assert (
            f"{questions_} of {len(asked)} prompts got no answer; the first, row 'demo:answer:0': answered 500: no."
            in found.output
        )
        assert not (tmp_path / "out" / "predictions.jsonl").exists()
        broken, first = False, len(asked)
        assert ask(url, "out", "--retries", 0).exit_code == 0
        assert len(asked) - first == questions_
        assert ask(url, "whole", "--retries", 0).exit_code == 0
    (resumed, record), (once, other) = result(tmp_path / "out"), result(tmp_path / "whole")
    assert resumed == once and record["unanswered"] == 0
    assert record["generated_tokens"] == other["generated_tokens"] == 2 * (len(asked) - first - questions_)
    assert (record["rows_resumed"], other["rows_resumed"]) == (len(rows) - questions_, 0)


def test_failures_can_be_accepted_as_invalid(
    ask: Any, cli: Any, rows: list[Row], test_file: Path, tmp_path: Path
) -> None:
    def answer(body: Body, _: Any) -> Answered:
        return Answered(b"{}") if "[EXTRACT]" in last(body) else chat("x")

    with serving(answer) as url:
        found = ask(url, "out", "--accept-unanswered", "--retries", 0)
    assert found.exit_code == 0, found.output
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").open()]
    assert [line["prediction"] is None for line in lines] == [row.task == "attributes" for row in rows]
    assert result(tmp_path / "out")[1]["unanswered"] == 3
    where = ("--predictions", tmp_path / "out" / "predictions.jsonl", "--out", tmp_path / "scored", "--resamples", 100)
    assert cli("score", "--data", test_file, *where).exit_code == 0
    assert json.loads((tmp_path / "scored" / "scores.json").read_text())["tasks"]["attributes"]["invalid"] == 3


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answered(b"who are you?", status=401), "answered 401: who are you?"),
        (Answered(b"no such model", status=404), "answered 404: no such model"),
        (Answered(b"down", status=503), "answered 503: down"),
        (Answered(b"", length=9, wait=30), "no answer within 0.3 s, asked once"),
        (Answered(b'{"choices": []}'), "found an empty list of choices"),
    ],
)
def test_an_endpoint_that_answers_nothing_stops_the_run_early(
    ask: Any, tmp_path: Path, answer: Answered, sentence: str
) -> None:
    asked: list[Body] = []

    def count(body: Body, _: Any) -> Answered:
        asked.append(body)
        return answer

    with serving(count) as url:
        found = ask(url, "out", "--retries", 0, "--timeout", 0.3, "--concurrency", 2)
    assert found.exit_code == 1
    (error,) = [line for line in found.output.splitlines() if line.startswith("error: ")]
    assert sentence in error and "Traceback" not in found.output
    assert len(asked) <= 22
    assert not (tmp_path / "out" / "predictions.jsonl").exists()


def test_limits_are_sent_and_an_answer_outside_them_is_noticed(
    ask: Any, rows: list[Row], test_file: Path, tmp_path: Path
) -> None:
    sent: dict[str, Body] = {}

    def obeying(body: Body, _: Any) -> Answered:
        sent[last(body)] = body
        if "structured_outputs" in body:
            return chat(body["structured_outputs"]["choice"][-1])
        form = body.get("response_format")
        return chat(json.dumps(dict.fromkeys(form["json_schema"]["schema"]["required"])) if form else "free")

    with serving(obeying) as url:
        found = ask(url, "out", "--constrain")
        assert found.exit_code == 0, found.output
    lines = {
        line["id"]: line["prediction"] for line in map(json.loads, (tmp_path / "out" / "predictions.jsonl").open())
    }
    for row in rows:
        body = sent[last({"messages": row.prompt})]
        if row.task == "yes_no":
            assert body["structured_outputs"] == {"choice": ["yes", "no"]} and lines[row.id] == "no"
        if row.task == "attributes":
            assert json.loads(lines[row.id]) == {"Brand": None, "Color": None}
        if row.task == "general":
            assert not {"structured_outputs", "response_format", "guided_choice", "grammar"} & body.keys()
    with serving(lambda *_: chat("whatever")) as url:
        found = ask(url, "other", "--constrain")
    assert found.exit_code == 1
    assert "found 'whatever', which the request did not allow: the server cannot constrain answers" in found.output


@pytest.mark.parametrize(("key", "value"), [("guided_choice", ["yes", "no"]), ("grammar", 'root ::= "yes" | "no"')])
def test_other_servers_take_the_texts_by_other_keys(
    ask: Any, rows: list[Row], test_file: Path, key: str, value: Any
) -> None:
    jsonl.write_lines(test_file, [row for row in rows if row.task == "yes_no"])
    sent: list[Body] = []

    def answer(body: Body, _: Any) -> Answered:
        sent.append(body)
        return chat("yes")

    with serving(answer) as url:
        assert ask(url, "out", "--constrain", "--choice-as", key).exit_code == 0
    assert [body[key] for body in sent] == [value] * 3


def test_candidates_are_samples_by_their_probability(
    ask: Any, rows: list[Row], test_file: Path, tmp_path: Path
) -> None:
    jsonl.write_lines(test_file, [row for row in rows if row.task == "category"])
    sent: list[Body] = []

    def answer(body: Body, _: Any) -> Answered:
        sent.append(body)
        if "n" not in body:
            return chat("Home > Mugs")
        odds = {"Car": -2.0, "Home>Mugs": -0.1, "Home > Pans": -0.5, " Car ": -2.1, "Home": -9.0, "Sports": -3.0}
        choices = [{"message": {"content": text}, "logprobs": {"content": [{"logprob": odds[text]}]}} for text in odds]
        return chat(choices=choices)

    with serving(answer) as url:
        assert ask(url, "out", "--candidates", 3, "--seed", 7).exit_code == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").open()]
    assert [line["candidates"] for line in lines] == [["Home > Mugs", "Home > Pans", "Car"]] * 3
    greedy = [(body["temperature"], body.get("n"), body["seed"]) for body in sent]
    assert sorted(greedy, key=repr) == [(0.0, None, 7)] * 3 + [(1.0, 6, 7)] * 3


def test_a_walk_is_asked_turn_by_turn(ask: Any, rows: list[Row], test_file: Path, tmp_path: Path) -> None:
    walks = [row for row in rows if row.task == "category_levels"]
    jsonl.write_lines(test_file, walks)
    right = {last({"messages": part.prompt}): part.target for row in walks for part in questions(row).values()}
    sent: list[int] = []

    def answer(body: Body, _: Any) -> Answered:
        sent.append(len(body["messages"]))
        return chat(right[last(body)])

    with serving(answer) as url:
        assert ask(url, "out").exit_code == 0
    assert sorted(set(sent)) == [1, 3, 5, 7][: len(set(sent))] and len(sent) == sum(
        len(questions(row)) for row in walks
    )
    assert len(set(sent)) >= 2


def test_the_key_stands_nowhere(ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")

    def answer(body: Body, headers: dict[str, str]) -> Answered:
        assert headers["authorization"] == "Bearer sk-very-secret"
        return chat("x") if "[QA]" not in last(body) else Answered(b"key sk-very-secret is out of money", status=500)

    with serving(answer) as url:
        found = ask(url, "out", "--retries", 0)
        assert "key *** is out of money" in found.output
        accepted = ask(url, "out", "--retries", 0, "--accept-unanswered")
        assert accepted.exit_code == 0
        inside = ask(url.replace("http://", "http://me:sk-very-secret@"), "other")
    assert inside.exit_code == 1
    assert "secret" not in found.output + accepted.output + inside.output
    assert all(b"secret" not in path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())


def test_extra_keys_reach_the_server_and_the_record(ask: Any, tmp_path: Path) -> None:
    sent: list[Body] = []

    def answer(body: Body, _: Any) -> Answered:
        sent.append(body)
        return chat("x")

    with serving(answer) as url:
        assert ask(url, "out", "--extra", '{"repetition_penalty": 1.0}', "--model", "served").exit_code == 0
        for bad, words in (("[1]", "expected a JSON object"), ('{"n": 3, "seed": 1}', "n, seed cannot be set here")):
            found = ask(url, "bad", "--extra", bad)
            assert found.exit_code == 1 and words in found.output
    assert {(body["repetition_penalty"], body["model"]) for body in sent} == {(1.0, "served")}
    record = result(tmp_path / "out")[1]
    assert record["decoding"]["extra"] == {"repetition_penalty": 1.0}
    assert record["checkpoint_sha256"] is None and record["template_sha256"] is None
