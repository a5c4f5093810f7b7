"""The client of endpoints against servers that behave, and against those that do not."""

import re
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from converters.core.errors import InputError
from eval.inference.backends._client import Choice, Reply, Request, ask
from eval.inference.backends.base import Endpoint
from tests.eval._serving import Answered, chat, serving

Body = dict[str, Any]


def said(body: Body) -> str:
    return str(body["messages"][-1]["content"])


def asked(*texts: str) -> list[Request]:
    return [Request(text, [{"role": "user", "content": text}], {"temperature": 0}) for text in texts]


def replies(url: str, *texts: str, **settings: Any) -> dict[str, Reply]:
    endpoint = Endpoint(url, "m", **{"timeout": 20.0, "retries": 0, **settings})
    return {reply.id: reply for reply in ask(endpoint, asked(*texts))}


def test_every_request_is_answered_with_what_it_took() -> None:
    seen: list[Body] = []
    counts: list[tuple[int, int]] = []

    def answer(body: Body, _: Any) -> Answered:
        seen.append(body)
        return chat(said(body).upper())

    with serving(answer) as url:
        texts = [f"question {number}" for number in range(30)]
        found = list(ask(Endpoint(url, "mine", concurrency=3), asked(*texts), lambda *step: counts.append(step)))
    assert {reply.id: reply.choices for reply in found} == {t: (Choice(t.upper(), "stop"),) for t in texts}
    assert {(reply.prompt_tokens, reply.generated_tokens, reply.error) for reply in found} == {(5, 2, None)}
    assert all(reply.seconds is not None and 0 < reply.seconds < 20 for reply in found)
    assert counts == [(number, 30) for number in range(1, 31)]
    assert {(body["model"], body["temperature"], len(body["messages"])) for body in seen} == {("mine", 0, 1)}


def test_as_many_requests_as_asked_for_are_under_way() -> None:
    together, most, lock = 0, 0, threading.Lock()
    met = threading.Barrier(4)  # each answer waits for three others: fewer at a time would never end

    def answer(body: Body, _: Any) -> Answered:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        met.wait(20)
        with lock:
            together -= 1
        return chat("x")

    with serving(answer) as url:
        assert len(replies(url, *map(str, range(16)), concurrency=4)) == 16
    assert most == 4


def test_several_choices_carry_their_probability() -> None:
    tokens = [{"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.0}]}, None]
    texts = ["ab", "c"]
    choices = [
        {"message": {"content": text}, "finish_reason": "length", "logprobs": each}
        for text, each in zip(texts, tokens, strict=True)
    ]
    with serving(lambda *_: chat(choices=choices)) as url:
        (reply,) = replies(url, "q").values()
    assert reply.choices == (Choice("ab", "length", ((-0.5, b"a"), (-1.0, b"b"))), Choice("c", "length"))
    assert [choice.logprob for choice in reply.choices] == [-1.5, None]


@pytest.mark.parametrize("first", ["500", "503", "429", "silence", "broken off"])
def test_a_server_that_fails_once_is_asked_again(first: str) -> None:
    times: Counter[str] = Counter()

    def answer(body: Body, _: Any) -> Answered:
        times[said(body)] += 1
        if times[said(body)] > 1:
            return chat("well")
        if first == "silence":
            return Answered(b"", length=10, wait=20)
        return Answered(b"{", length=10) if first == "broken off" else Answered(b"busy", status=int(first))

    with serving(answer) as url:
        found = replies(url, "q", "r", timeout=3 if first == "silence" else 20, retries=2)
    assert [reply.choices[0].text for reply in found.values()] == ["well", "well"]
    assert times == {"q": 2, "r": 2}


BAD = [
    ("always 500", Answered(b"out of\n memory", status=500), "answered 500: out of memory"),
    ("silent", Answered(b"", length=10, wait=20), "no answer within 2 s, asked 2 times"),
    ("less than its length", Answered(b'{"choices":[]}', length=99), "one that broke off: peer closed connection"),
    ("more than its length", Answered(chat("x").body, length=12), "expected a chat completion in JSON: "),
    ("no JSON", Answered(b"<html>no</html>"), "found '<html>no</html>', expected a chat completion in JSON"),
    ("a bomb", Answered(b"[" * 100_000), r"found '\[\[\[.*, expected a chat completion in JSON"),
    ("other JSON", Answered(b'{"answer": "x"}'), "found .{.answer.*, expected a chat completion in JSON"),
    ("no UTF-8", Answered(b'{"choices":[{"message":{"content":"\xff"}}]}'), "expected a chat completion in JSON"),
    (
        "no text",
        Answered(b'{"choices": [{"message": {"content": 7}}]}'),
        "expected a chat completion in JSON: .*no text",
    ),
    ("no message", Answered(b'{"choices": [{}]}'), "expected a chat completion in JSON"),
    ("a list", Answered(b"[1]"), "expected a chat completion in JSON"),
    ("no choices", Answered(b'{"choices": []}'), "found an empty list of choices"),
    ("refused", Answered(b'{"error": "too long"}', status=400), 'answered 400: {"error": "too long"}'),
]


@pytest.mark.parametrize(("answer", "sentence"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_wrong_is_one_sentence_and_the_others_go_on(answer: Answered, sentence: str) -> None:
    with serving(lambda body, _: answer if said(body) == "bad" else chat("well")) as url:
        found = replies(url, "good", "bad", "fine", timeout=2, retries=1)
    assert {found[name].choices for name in ("good", "fine")} == {(Choice("well", "stop", None),)}
    bad = found["bad"]
    assert bad.choices == () and bad.error
    assert "\n" not in bad.error and len(bad.error) < 400
    assert re.search(sentence, bad.error), bad.error
    assert bad.status == (answer.status if answer.status != 200 else None)


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (reply,) = replies(f"http://127.0.0.1:{port}/v1", "q").values()
    assert reply.error and reply.error.startswith("no connection, or one that broke off: ")


def test_the_key_comes_from_the_environment_and_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    sent: list[str] = []

    def answer(body: Body, headers: dict[str, str]) -> Answered:
        sent.append(headers["authorization"])
        return Answered(f"bad key {headers['authorization']}".encode(), status=401 if said(body) == "q" else 200)

    with serving(answer) as url:
        found = replies(url, "q", "r")
    assert sent == ["Bearer sk-very-secret"] * 2
    assert found["q"].error == "answered 401: bad key Bearer ***" and found["q"].status == 401
    assert "secret" not in repr(found) and "bad key Bearer ***" in str(found["r"].error)
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(answer) as url:
        replies(url, "q")
    assert sent[-1] == "Bearer none"


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://host/v1", "http://", "http://me:sk-1@host/v1", "http://host/v1?key=sk-1"]
)
def test_an_address_is_an_address_and_holds_no_key(url: str) -> None:
    with pytest.raises(InputError, match=r"expected http.*a key comes from OPENAI_API_KEY alone") as error:
        list(ask(Endpoint(url, "m"), asked("q")))
    assert "sk-1" not in str(error.value)


def test_stopping_early_leaves_nothing_behind() -> None:
    """What is under way is cancelled, what has just been started, too: neither waits for its server."""
    with serving(lambda body, _: chat("x") if said(body) == "0" else Answered(b"", length=9, wait=120)) as url:
        stream = ask(Endpoint(url, "m"), asked(*map(str, range(20))))
        assert next(stream).id == "0"
        start = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - start < 60


def test_importing_the_client_imports_no_serving_package() -> None:
    import subprocess
    import sys

    code = "import sys, eval.inference.backends.openai; print({'openai', 'torch', 'httpx'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
