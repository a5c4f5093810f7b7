"""Confidence from endpoints: those that tell all log-probabilities, some or none, and those that refuse to be asked for them."""

import json
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import pytest

from converters.io import jsonl
from converters.schema import Row
from tests.eval._serving import Answered, chat, serving

Body = dict[str, Any]
PATH = [{"token": "保", "bytes": [228, 191], "logprob": -0.1}, {"token": "保", "bytes": [157], "logprob": -0.2},
        {"token": " >", "bytes": None, "logprob": -0.3}, {"token": " Mugs", "logprob": -0.4}]  # fmt: skip
RECORD = [('{"Brand": ', -1.0), ('"Ac', -0.1), ('me"', -0.2), (', "Color": ', -1.0), ("null", -0.3), ("}", -1.0)]
END = {"token": "</s>", "bytes": [*b"</s>"], "logprob": -0.5}


@pytest.fixture
def products() -> int:
    return 3


@pytest.fixture
def ask(cli: Any, rows: list[Row], test_file: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run ``predict --confidence`` with an endpoint on the rows of a task; return its lines, its record and what it said."""
    jsonl.write_lines(test_file, [row for row in rows if row.task in ("category", "attributes")])

    def run(url: str, *flags: object, out: str = "out") -> tuple[list[Body], Body, str]:
        where = ("--data", test_file, "--out", tmp_path / out, "--backend", "openai", "--base-url", url, "--retries", 0)
        found = cli("predict", "--checkpoint", "m", *where, "--confidence", *flags)
        assert found.exit_code == 0, found.output
        lines = [json.loads(line) for line in (tmp_path / out / "predictions.jsonl").open()]
        return lines, json.loads((tmp_path / out / "predictions.json").read_bytes()), found.output

    return run


def said(text: str, tokens: Any) -> Answered:
    return chat(choices=[{"message": {"content": text}, "finish_reason": "stop", "logprobs": {"content": tokens}}])


def extracting(body: Body) -> bool:
    return "[EXTRACT]" in body["messages"][-1]["content"]


@pytest.mark.parametrize("end", [True, False])
def test_an_endpoints_log_probabilities_become_confidences(ask: Any, end: bool) -> None:
    """OpenAI's own tell no end token, vLLM's do: it counts where it is told."""
    sent: list[Body] = []
    record = [{"token": token, "logprob": log} for token, log in RECORD]

    def answer(body: Body, _: Any) -> Answered:
        sent.append(body)
        more = [END] if end else []
        if extracting(body):
            return said('{"Brand": "Acme", "Color": null}', [*record, *more])
        return said("保 > Mugs", [*PATH, *more])

    with serving(answer) as url:
        lines, found, output = ask(url)
    last = -0.5 if end else 0.0
    path = {"path": exp(-1.0 + last), "level 1": exp(-0.6), "level 2": exp(-1.0 + last)}
    for line in lines:
        values = {"Brand": exp(-0.3), "Color": exp(-0.3)} if "attributes" in line["id"] else path
        assert line["confidence"] == pytest.approx(values, rel=1e-5)
    assert all(body["logprobs"] is True and "top_logprobs" not in body for body in sent)
    assert found["confidence"]["not_available"] == 0 and "endpoint" in found["confidence"]["by"]
    assert "not available" not in output


NOT_TOLD = [
    None,
    [],
    [*PATH[:-1], {"token": " Mugs"}],
    [*PATH[:-1], {"token": " Mugs", "logprob": None}],
    [*PATH[:-1], {"token": " Mugs", "logprob": "-0.4"}],
    [*PATH[:-1], {"token": " Mugs", "bytes": [999], "logprob": -0.4}],
    [*PATH[:-1], {"token": " Mugs", "bytes": 7, "logprob": -0.4}],
    [*PATH[:-1], {"token": " Pans", "logprob": -0.4}],
    "-0.4",
    7,
]


@pytest.mark.parametrize("tokens", NOT_TOLD, ids=range(len(NOT_TOLD)))
def test_what_is_not_told_or_in_parts_is_not_available_and_no_error(ask: Any, tokens: Any) -> None:
    with serving(lambda *_: said("保 > Mugs", tokens)) as url:
        lines, record, output = ask(url)
    assert [line["prediction"] for line in lines] == ["保 > Mugs"] * 6 and not any(
        "confidence" in line for line in lines
    )
    # What three of the six say is no record: they have no confidence whatever is told.
    assert record["confidence"]["not_available"] == 3 and record["unanswered"] == 0
    assert output.count("confidence: not available for 3 of 6 rows: no log-probabilities came") == 1


def test_a_server_that_refuses_to_tell_them_is_asked_without(ask: Any) -> None:
    asked: list[bool] = []

    def answer(body: Body, _: Any) -> Answered:
        asked.append("logprobs" in body)
        return Answered(b"'logprobs' is not supported with this model", status=400) if asked[-1] else chat("Home")

    with serving(answer) as url:
        lines, record, output = ask(url, "--concurrency", 1)
    assert asked == [True, False] * 6 and len(lines) == 6
    assert record["confidence"]["not_available"] == 3 and output.count("not available") == 1


def test_another_refusal_stays_one(cli: Any, test_file: Path, tmp_path: Path) -> None:
    with serving(lambda *_: Answered(b"too long", status=400)) as url:
        where = ("--data", test_file, "--out", tmp_path / "out", "--backend", "openai", "--base-url", url)
        found = cli("predict", "--checkpoint", "m", *where, "--confidence", "--retries", 0)
    assert found.exit_code == 1 and "answered 400: too long" in found.output


def test_candidates_and_confidence_come_together(ask: Any, rows: list[Row]) -> None:
    def answer(body: Body, _: Any) -> Answered:
        if "n" not in body:
            return said("保 > Mugs", PATH)
        odds = {"Car": -2.0, "Home": -0.5, "Sports": -3.0, "Tents": -4.0}
        logs = [{"content": [{"token": text, "logprob": log}]} for text, log in odds.items()]
        return chat(choices=[{"message": {"content": t}, "logprobs": each} for t, each in zip(odds, logs, strict=True)])

    with serving(answer) as url:
        lines, _, _ = ask(url, "--candidates", 2)
    several = [line for line in lines if "candidates" in line]
    assert len(several) == 3 and all(line["candidates"] == ["保 > Mugs", "Home"] for line in several)
    assert all(line["confidence"]["path"] == pytest.approx(exp(-1.0), rel=1e-5) for line in several)


def test_a_run_that_went_on_has_the_same_confidences(ask: Any, cli: Any, test_file: Path, tmp_path: Path) -> None:
    broken = True

    def answer(body: Body, _: Any) -> Answered:
        return Answered(b"no", status=500) if broken and extracting(body) else said("保 > Mugs", PATH)

    with serving(answer) as url:
        where = (
            "--data",
            test_file,
            "--out",
            tmp_path / "out",
            "--backend",
            "openai",
            "--base-url",
            url,
            "--retries",
            0,
        )
        found = cli("predict", "--checkpoint", "m", *where, "--confidence")
        assert found.exit_code == 1 and "3 of 6 prompts got no answer" in found.output
        broken = False
        _, record, _ = ask(url)
        ask(url, out="whole")
    assert record["rows_resumed"] == 3
    first, second = (tmp_path / name / "predictions.jsonl" for name in ("out", "whole"))
    assert first.read_bytes() == second.read_bytes() and first.read_bytes().count(b'"confidence"') == 3


def test_an_unanswered_prompt_is_not_counted_as_untold(ask: Any) -> None:
    def answer(body: Body, _: Any) -> Answered:
        return Answered(b"no", status=500) if extracting(body) else said("保 > Mugs", PATH)

    with serving(answer) as url:
        lines, record, _ = ask(url, "--accept-unanswered")
    assert record["unanswered"] == 3 and record["confidence"]["not_available"] == 0
    assert [("confidence" in line, line["prediction"] is None) for line in lines] == [(True, False), (False, True)] * 3
