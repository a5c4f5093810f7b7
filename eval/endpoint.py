"""A client of OpenAI-compatible endpoints (vLLM, TGI, llama.cpp's server, ``transformers serve``): many chats at a time.

The ``openai`` package does the HTTP and its retries: after a timeout, a broken connection, 408, 409, 429 and 5xx. What is wrong
with one request ends as a sentence in its reply, and the others go on. The key comes from the environment (``OPENAI_API_KEY``)
and stands in no record, sentence or log.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.pool import ThreadPool
from typing import Any
from urllib.parse import urlsplit

from converters.core.errors import InputError

KEY = "OPENAI_API_KEY"
NO_KEY = "none"  # a local server wants no key, but the client wants one to send
REFUSED = (401, 403, 404)  # the same for every request: a wrong key, address or model

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and how: ``concurrency`` requests at a time, ``timeout`` seconds for each try, ``retries`` tries more."""

    base_url: str
    model: str
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 4


@dataclass(frozen=True, slots=True)
class Request:
    """One chat: ``messages`` are ``{"role", "content"}``, ``extra`` the body's other keys (temperature, max_tokens …).

    With ``samples``, the same messages are sent a second time with these keys.
    """

    id: str
    messages: Sequence[Mapping[str, str]]
    extra: Mapping[str, Any]
    samples: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: why it ended (``stop``, ``length`` …) and the sum of its tokens' log-probabilities, if it was sent."""

    text: str
    finish: str | None
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The choices of a request and what they took, or the sentence that says why there are none.

    ``status`` is the HTTP status of a refusal, ``seconds`` the latency of the try that was answered, ``samples`` the choices of
    the second request.
    """

    id: str
    choices: tuple[Choice, ...] = ()
    error: str | None = None
    status: int | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    seconds: float | None = None
    samples: tuple[Choice, ...] = ()


def ask(endpoint: Endpoint, requests: Sequence[Request], progress: Progress = lambda *_: None) -> Iterator[Reply]:
    """Yield the reply to every request as it comes in; ``progress`` is called with (replies so far, all requests).

    Stopping early (``close`` or an exception in between) abandons the requests under way: the pool's threads are daemons, which
    nobody waits for.
    """
    client = _client(endpoint)
    with ThreadPool(endpoint.concurrency) as pool:
        replies = pool.imap_unordered(lambda request: _reply(client, endpoint, request), requests)
        for count, reply in enumerate(replies, 1):
            progress(count, len(requests))
            yield reply


def _client(endpoint: Endpoint) -> Any:
    parts = urlsplit(endpoint.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "@" in parts.netloc:
        address = f"{parts.scheme}://{parts.hostname}"  # never what may be a key
        raise InputError(
            f"base URL {address}: expected http(s)://host[:port]/path and nothing more; a key comes from {KEY} alone"
        )
    try:
        from openai import OpenAI
    except ImportError as error:
        raise InputError("the package 'openai' is not installed: pip install 'ecom-llm-recipes[endpoint]'") from error
    return OpenAI(
        base_url=endpoint.base_url,
        api_key=os.environ.get(KEY) or NO_KEY,
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
    )


def _reply(client: Any, endpoint: Endpoint, request: Request) -> Reply:
    reply = _complete(client, endpoint, request, request.extra)
    if reply.error or request.samples is None:
        return reply
    more = _complete(client, endpoint, request, request.samples)
    return replace(reply, samples=more.choices, error=more.error, status=more.status)


def _complete(client: Any, endpoint: Endpoint, request: Request, extra: Mapping[str, Any]) -> Reply:
    import openai

    status = None
    try:
        raw = client.chat.completions.with_raw_response.create(
            model=endpoint.model, messages=list(request.messages), extra_body=dict(extra)
        )
        return _parsed(request.id, raw)
    except openai.APITimeoutError:
        tries = f"{endpoint.retries + 1} times" if endpoint.retries else "once"
        error = f"no answer within {endpoint.timeout:g} s, asked {tries}"
    except openai.APIStatusError as refusal:
        error, status = (
            f"answered {refusal.status_code}: {_line(refusal.response.text) or 'nothing'}",
            refusal.status_code,
        )
    except openai.APIConnectionError as failure:
        error = f"no connection, or one that broke off: {_line(_cause(failure))}"
    return Reply(request.id, error=error, status=status)


def _parsed(id_: str, raw: Any) -> Reply:
    """Return the reply that a response holds; the client checks no types, so any of them may be wrong or missing."""
    try:
        completion = raw.parse()
        choices = tuple(map(_choice, completion.choices))
        prompt, generated = (getattr(completion.usage, f"{name}_tokens", None) for name in ("prompt", "completion"))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        text = _line(raw.content[:60].decode("utf-8", "replace"))
        return Reply(id_, error=f"found {text!r}, expected a chat completion in JSON: {_line(str(error))}")
    if not choices:
        return Reply(id_, error="found an empty list of choices, expected an answer")
    return Reply(id_, choices, None, None, prompt, generated, raw.elapsed.total_seconds())


def _choice(choice: Any) -> Choice:
    tokens = choice.logprobs.content if choice.logprobs else None
    logprob = None if tokens is None else sum(token.logprob for token in tokens)
    text = choice.message.content or ""
    if not isinstance(text, str):
        raise TypeError("a choice's content is no text")
    return Choice(text, choice.finish_reason, logprob)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__


def _line(text: str) -> str:
    """Return one line of a text, without the key: a server may repeat what it was sent."""
    key, line = os.environ.get(KEY, ""), " ".join(text.split())
    return (line.replace(key, "***") if key else line)[:200]
