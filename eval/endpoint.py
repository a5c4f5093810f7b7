"""A client of OpenAI-compatible endpoints (vLLM, TGI, llama.cpp's server, ``transformers serve``): many chats at a time.

The ``openai`` package does the HTTP: it asks again after a time-out, a broken connection, 408, 409, 429 and 5xx, with growing
pauses. What is wrong with one request ends as a sentence in its reply, and the others go on. The key comes from the environment
(``OPENAI_API_KEY``) and stands in no record, sentence or log.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import msgspec

from converters.errors import InputError

KEY = "OPENAI_API_KEY"
NO_KEY = "none"  # servers on one's own machine want no key, but the client wants one to send
PAUSE = 120.0  # seconds: the longest pause that the client lets a server ask for
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
    """One chat: ``messages`` are ``{"role", "content"}``, ``extra`` the body's other keys (temperature, max_tokens …)."""

    id: str
    messages: Sequence[Mapping[str, str]]
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: why it ended (``stop``, ``length`` …) and the sum of its tokens' logarithmic probabilities, if it was sent."""

    text: str
    finish: str | None
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request: its choices and what they took, or the sentence that says why there are none.

    ``status`` is the HTTP status of a refusal. ``seconds`` is the latency of the try that was answered.
    """

    id: str
    choices: tuple[Choice, ...] = ()
    error: str | None = None
    status: int | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    seconds: float | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Token(msgspec.Struct):
    logprob: float


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


def ask(endpoint: Endpoint, requests: Sequence[Request], progress: Progress = lambda *_: None) -> Iterator[Reply]:
    """Yield the reply to every request as it comes in; ``progress`` is called with (replies so far, all requests).

    Stopping early (``close`` or an exception in between) abandons the requests under way.
    """
    client = _client(endpoint)
    waiting, done = iter(requests), 0
    under_way: set[asyncio.Task[Reply]] = set()
    with asyncio.Runner() as runner:
        start = runner.get_loop().create_task
        try:
            under_way |= {start(_ask(client, endpoint, one)) for one in islice(waiting, endpoint.concurrency)}
            while under_way:
                ready, under_way = runner.run(_first(under_way))
                under_way |= {start(_ask(client, endpoint, one)) for one in islice(waiting, len(ready))}
                for task in ready:
                    done += 1
                    progress(done, len(requests))
                    yield task.result()
        finally:
            runner.run(_abandon(under_way, client))


async def _first(tasks: set["asyncio.Task[Reply]"]) -> tuple[set["asyncio.Task[Reply]"], set["asyncio.Task[Reply]"]]:
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _abandon(tasks: set["asyncio.Task[Reply]"], client: Any) -> None:
    """Cancel before closing: a request that is still at work would wait for its server, or find the client closed."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()


def _client(endpoint: Endpoint) -> Any:
    parts = urlsplit(endpoint.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "@" in parts.netloc:
        shown = f"{parts.scheme}://{parts.hostname}"  # never what may be a key
        raise InputError(
            f"base URL {shown}: expected http(s)://host[:port]/path and nothing more; a key comes from {KEY} alone"
        )
    try:
        from openai import AsyncOpenAI
    except ImportError as error:
        raise InputError("the package 'openai' is not installed: pip install 'ecom-llm-recipes[endpoint]'") from error
    return AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=os.environ.get(KEY) or NO_KEY,
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
    )


async def _ask(client: Any, endpoint: Endpoint, request: Request) -> Reply:
    import openai

    try:
        # A time-out is for each read: the bound on all tries is for servers that send a byte now and then.
        async with asyncio.timeout((endpoint.timeout + PAUSE) * (endpoint.retries + 1)):
            raw = await client.chat.completions.with_raw_response.create(
                model=endpoint.model, messages=list(request.messages), extra_body=dict(request.extra)
            )
        return _reply(request.id, raw.content, raw.elapsed.total_seconds())
    except (openai.APITimeoutError, TimeoutError):
        tries = f"{endpoint.retries + 1} times" if endpoint.retries else "once"
        return Reply(request.id, error=f"no answer within {endpoint.timeout:g} s, asked {tries}")
    except openai.APIStatusError as error:
        said = _hidden(error.response.text) or "nothing"
        return Reply(request.id, error=f"answered {error.status_code}: {said}", status=error.status_code)
    except openai.APIConnectionError as error:
        return Reply(request.id, error=f"no connection, or one that broke off: {_hidden(_cause(error))}")


def _reply(id_: str, content: bytes, seconds: float) -> Reply:
    try:
        body = msgspec.json.decode(content, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = _hidden(content[:60].decode("utf-8", "replace"))
        return Reply(id_, error=f"found {found!r}, expected a chat completion in JSON: {error}")
    if not body.choices:
        return Reply(id_, error="found an empty list of choices, expected an answer")
    usage, choices = body.usage or _Usage(), tuple(map(_choice, body.choices))
    return Reply(id_, choices, None, None, usage.prompt_tokens, usage.completion_tokens, seconds)


def _choice(choice: _Choice) -> Choice:
    tokens = choice.logprobs.content if choice.logprobs else None
    logprob = None if tokens is None else sum(token.logprob for token in tokens)
    return Choice(choice.message.content or "", choice.finish_reason, logprob)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__


def _hidden(text: str) -> str:
    """Return one line of a text, without the key: a server may repeat what it was sent."""
    key, line = os.environ.get(KEY, ""), " ".join(text.split())
    return (line.replace(key, "***") if key else line)[:200]
