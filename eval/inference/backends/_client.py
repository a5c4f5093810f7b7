"""A client of OpenAI-compatible endpoints: some requests in flight at a time, one sentence for each kind of failure."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from converters.core.errors import InputError
from eval.inference.backends.base import Endpoint

KEY = "OPENAI_API_KEY"
NO_KEY = "none"  # a local server wants no key, but the client wants one to send
CANNOT = (400, 422, 501)  # how a server refuses a key of a request
REFUSED = (401, 403, 404)  # the same for every request: a wrong key, address or model

Progress = Callable[[int, int], None]
Token = tuple[float, bytes]  # its log-probability and what it writes
Follow: TypeAlias = "Callable[[Reply], Mapping[str, Any] | None]"


@dataclass(frozen=True, slots=True)
class Request:
    """One chat: ``messages`` are ``{"role", "content"}``, ``extra`` the body's other keys (temperature, max_tokens …).

    ``follow`` is called with the reply so far and gives the keys with which the same messages are sent once more, or ``None``.
    """

    id: str
    messages: Sequence[Mapping[str, str]]
    extra: Mapping[str, Any]
    follow: Follow = lambda reply: None


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: why it ended (``stop``, ``length`` …) and its tokens, ``None`` where one or all were not sent."""

    text: str
    finish: str | None
    tokens: tuple[Token, ...] | None = None

    @property
    def logprob(self) -> float | None:
        """Return the sum of its tokens' log-probabilities, if they were sent."""
        return None if self.tokens is None else sum(value for value, _ in self.tokens)


@dataclass(frozen=True, slots=True)
class Reply:
    """The choices of a request and what they took, or the sentence that says why there are none.

    ``status`` is the HTTP status of a refusal, ``seconds`` the latency of the try that was answered, ``further`` the choices of
    each request that followed.
    """

    id: str
    choices: tuple[Choice, ...] = ()
    error: str | None = None
    status: int | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    seconds: float | None = None
    further: tuple[tuple[Choice, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What an endpoint says of its model: its ``owner`` (``vllm`` …) and the tokens of a prompt with its answer, if known."""

    owner: str | None = None
    context: int | None = None


def ask(endpoint: Endpoint, requests: Sequence[Request], progress: Progress = lambda *_: None) -> Iterator[Reply]:
    """Yield the reply to every request as it comes in; ``progress`` is called with (replies so far, all requests).

    Stopping early (``close`` or an exception in between) abandons the requests under way: the pool's threads are daemons, which
    nobody waits for.
    """
    client = _client(endpoint)
    with ThreadPool(endpoint.concurrency) as pool:
        replies = pool.imap_unordered(partial(_reply, client, endpoint), requests)
        for count, reply in enumerate(replies, 1):
            progress(count, len(requests))
            yield reply


def served(endpoint: Endpoint) -> Served:
    """Return what the endpoint's list of models says of the one that is asked; none that can be reached is an ``InputError``."""
    client = _client(endpoint)
    import openai

    try:
        models = json.loads(client.models.with_raw_response.list().text)["data"]
        (card,) = [model for model in models if model["id"] == endpoint.model]
        owner, context = card.get("owned_by"), card.get("max_model_len")
    except openai.APIConnectionError as failure:
        raise InputError(f"{endpoint.base_url}: {_broken_off(failure)}") from failure
    except (openai.APIError, ValueError, TypeError, KeyError, RecursionError):
        return Served()  # many servers have no such list
    return Served(owner if isinstance(owner, str) else None, context if isinstance(context, int) else None)


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
    if reply.status in CANNOT and "logprobs" in request.extra and "logprob" in (reply.error or ""):
        without = {key: value for key, value in request.extra.items() if key != "logprobs"}
        reply = _complete(client, endpoint, request, without)
    while not reply.error and (keys := request.follow(reply)) is not None:
        more = _complete(client, endpoint, request, keys)
        reply = replace(reply, further=(*reply.further, more.choices), error=more.error, status=more.status)
    return reply


def _complete(client: Any, endpoint: Endpoint, request: Request, extra: Mapping[str, Any]) -> Reply:
    import openai

    create = client.chat.completions.with_raw_response.create
    try:
        return _parsed(
            request.id, create(model=endpoint.model, messages=list(request.messages), extra_body=dict(extra))
        )
    except openai.APITimeoutError:
        tries = f"{endpoint.retries + 1} times" if endpoint.retries else "once"
        return Reply(request.id, error=f"no answer within {endpoint.timeout:g} s, asked {tries}")
    except openai.APIStatusError as refusal:
        error = f"answered {refusal.status_code}: {_line(refusal.response.text) or 'nothing'}"
        return Reply(request.id, error=error, status=refusal.status_code)
    except openai.APIConnectionError as failure:
        return Reply(request.id, error=_broken_off(failure))


def _broken_off(failure: Exception) -> str:
    cause = failure.__cause__ or failure
    return f"no connection, or one that broke off: {_line(str(cause)) or type(cause).__name__}"


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
    text = choice.message.content or ""
    if not isinstance(text, str):
        raise TypeError("a choice's content is no text")
    try:
        tokens = tuple(map(_token, choice.logprobs.content))
    except (AttributeError, TypeError, ValueError):  # not sent, or not for every token
        return Choice(text, choice.finish_reason)
    return Choice(text, choice.finish_reason, tokens)


def _token(token: Any) -> Token:
    if math.isnan(token.logprob):
        raise ValueError("a token's log-probability is no number")
    sent = getattr(token, "bytes", None)
    return float(token.logprob), (getattr(token, "token", None) or "").encode() if sent is None else bytes(tuple(sent))


def _line(text: str) -> str:
    """Return one line of a text, without the key: a server may repeat what it was sent."""
    key, line = os.environ.get(KEY, ""), " ".join(text.split())
    return (line.replace(key, "***") if key else line)[:200]
