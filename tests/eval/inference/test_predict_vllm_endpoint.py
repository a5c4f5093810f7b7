"""What vLLM's server does that others do not: it says how long its context is, cuts answers there, and searches with beams."""

import itertools
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converters.io import jsonl
from converters.schema import Row
from tests.eval._serving import Answered, chat, serving

Body = dict[str, Any]
CARD = {"id": "m", "owned_by": "vllm", "max_model_len": 64}


@pytest.fixture
def products() -> int:
    return 3


@pytest.fixture
def ask(cli: Any, test_file: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run ``predict`` with an endpoint on the test file; return its lines and its record."""

    def run(url: str, *flags: object) -> tuple[list[Body], Body]:
        where = ("--data", test_file, "--out", tmp_path / "out", "--backend", "openai", "--base-url", url)
        found = cli("predict", "--checkpoint", "m", *where, "--max-new-tokens", 12, *flags)
        assert found.exit_code == 0, found.output
        lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").open()]
        return lines, json.loads((tmp_path / "out" / "predictions.json").read_text())

    return run


def said(text: str, tokens: int, finish: str = "length") -> Answered:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return chat(choices=[choice], usage={"prompt_tokens": 60, "completion_tokens": tokens})


def test_an_answer_cut_by_the_server_is_not_cut_by_our_limit(ask: Any) -> None:
    counts = itertools.chain([4, 12], itertools.repeat(3))

    def answer(*_: Any) -> Answered:
        tokens = next(counts)
        return said("x", tokens, "stop" if tokens == 3 else "length")

    with serving(answer, CARD) as url:
        _, record = ask(url, "--concurrency", 1)
    assert (record["cut_at_context"], record["cut_at_max_new_tokens"]) == (1, 1)
    assert record["backend"]["context"] == 64 and record["backend"]["server"] == "vllm"


def test_candidates_are_beams_and_those_that_were_cut_come_last(ask: Any, rows: list[Row], test_file: Path) -> None:
    jsonl.write_lines(test_file, [row for row in rows if row.task == "category"])
    sent: list[Body] = []

    def answer(body: Body, _: Any) -> Answered:
        sent.append(body)
        if "use_beam_search" not in body:
            return chat("Home > Mugs")
        found = [("Home > Pa", "length"), ("Home>Mugs", "stop"), ("Home > Pans", "stop"), ("Car", "stop")]
        return chat(choices=[{"message": {"content": text}, "finish_reason": finish} for text, finish in found])

    with serving(answer, CARD) as url:
        lines, record = ask(url, "--candidates", 3)
    assert [line["candidates"] for line in lines] == [["Home > Mugs", "Home > Pans", "Car"]] * 3
    assert record["candidates"] == {"count": 3, "by": "beam search, by log-probability"}
    beams = [body for body in sent if "use_beam_search" in body]
    assert [(b["n"], b["length_penalty"], b["temperature"], b["max_tokens"]) for b in beams] == [(4, 0.0, 0.0, 12)] * 3


def test_constrained_candidates_are_asked_for_one_by_one(ask: Any, rows: list[Row], test_file: Path) -> None:
    """vLLM's beam search keeps to no constraint, so no request may combine them."""
    jsonl.write_lines(test_file, [row for row in rows if row.task in ("yes_no", "choice")])
    odds = {"Exact match": -3.0, "Substitute": -1.0, "A": -2.0, "yes": -1.0, "no": -1.0}
    sent: list[Body] = []

    def answer(body: Body, _: Any) -> Answered:
        sent.append(body)
        text = body["structured_outputs"]["choice"][0]
        return chat(choices=[{"message": {"content": text}, "logprobs": {"content": [{"logprob": odds[text]}]}}])

    with serving(answer, CARD) as url:
        lines, record = ask(url, "--candidates", 4, "--constrain")
    by_task = {row.id: row.task for row in rows}
    expected = {"choice": ["Exact match", "Substitute", "A"], "yes_no": ["yes", "no"]}
    assert all(line["candidates"] == expected[by_task[line["id"]]] for line in lines)
    assert len(sent) == 3 * (3 + 2) and not any("use_beam_search" in body or "n" in body for body in sent)
    assert record["candidates"]["by"].startswith("of a list of texts, one after another")


@pytest.mark.parametrize("card", [None, {**CARD, "owned_by": ["x"], "max_model_len": "64"}, {"id": "other"}, {"id": 7}])
def test_a_server_that_does_not_say_gets_samples_and_the_record_says_so(
    ask: Any, rows: list[Row], test_file: Path, card: Body | None
) -> None:
    jsonl.write_lines(test_file, [row for row in rows if row.task == "category"])
    with serving(lambda body, _: chat(*["Home"] * body.get("n", 1)), card) as url:
        lines, record = ask(url, "--candidates", 2)
    assert [line["candidates"] for line in lines] == [["Home"]] * 3
    assert record["candidates"]["by"].startswith("seeded samples at temperature 1")
    assert not {"context", "server"} & record["backend"].keys()


def test_where_nobody_listens_one_sentence_says_so_at_once(cli: Any, test_file: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    where = ("--data", test_file, "--out", tmp_path / "out", "--backend", "openai", "--base-url", url, "--retries", 0)
    found = cli("predict", "--checkpoint", "m", *where)
    (error,) = [line for line in found.output.splitlines() if line.startswith("error: ")]
    assert found.exit_code == 1 and error.startswith(f"error: {url}: no connection, or one that broke off: ")
