"""``openai``: any OpenAI-compatible endpoint, some requests in flight at a time, one sentence for each kind of failure."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from converters.core.errors import InputError
from converters.io.jsonl import template_sha256
from eval.answers.base import Limit, Schema, Texts
from eval.inference.backends import base
from eval.inference.backends.base import Answer, Endpoint, Plan, Prompt
from eval.inference.checkpoint import Checkpoint, find

CANDIDATES = "seeded samples at temperature 1, by log-probability where the endpoint sends it, else as sent"
SAMPLES = 2  # for each candidate: samples repeat themselves
GIVE_UP = 16  # failures in a row
KEY = "OPENAI_API_KEY"
NO_KEY = "none"  # a local server wants no key, but the client wants one to send
REFUSED = (401, 403, 404)  # the same for every request: a wrong key, address or model
CHOICE_AS: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "structured_outputs": lambda texts: {"structured_outputs": {"choice": texts}},  # vLLM from 0.12
    "guided_choice": lambda texts: {"guided_choice": texts},  # vLLM before
    "grammar": lambda texts: {"grammar": "root ::= " + " | ".join(json.dumps(t, ensure_ascii=False) for t in texts)},
}

Progress = Callable[[int, int], None]


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
        replies = pool.imap_unordered(partial(_reply, client, endpoint), requests)
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
    sampled = _complete(client, endpoint, request, request.samples)
    return replace(reply, samples=sampled.choices, error=sampled.error, status=sampled.status)


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
        cause = failure.__cause__ or failure
        error = f"no connection, or one that broke off: {_line(str(cause)) or type(cause).__name__}"
        return Reply(request.id, error=error)


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


def _line(text: str) -> str:
    """Return one line of a text, without the key: a server may repeat what it was sent."""
    key, line = os.environ.get(KEY, ""), " ".join(text.split())
    return (line.replace(key, "***") if key else line)[:200]


@dataclass(frozen=True, slots=True)
class Server:
    """An endpoint, and the checkpoint that it serves, if that is a folder here."""

    endpoint: Endpoint
    checkpoint: Checkpoint | None
    tokenizer: Any


def load(checkpoint: str, plan: Plan) -> Server:
    """Return the endpoint, and the tokenizer if the checkpoint is a folder; no weights are loaded."""
    if plan.endpoint is None:
        raise InputError("the openai backend needs an address: --base-url http://127.0.0.1:8000/v1")
    local = find(checkpoint) if Path(checkpoint).is_dir() else None
    return Server(plan.endpoint, local, base.load_tokenizer(local) if local else None)


def describe(model: Server, plan: Plan) -> dict[str, Any]:
    """Return the checkpoint's hashes, if known, and the endpoint."""
    identity = model.checkpoint.identity if model.checkpoint else {"checkpoint_sha256": None}
    return identity | {
        "template_sha256": template_sha256(model.tokenizer.chat_template) if model.tokenizer else None,
        "backend": {"name": "openai", "base_url": model.endpoint.base_url, "model": model.endpoint.model},
        "versions": base.versions("openai"),
    }


def batches(model: Server, plan: Plan, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Return every prompt as a batch of its own."""
    return [[prompt] for prompt in prompts]


def answers(model: Server, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
    """Yield answers as they come in; a prompt without one is an ``InputError`` at the end, or accepted as ``null``."""
    prompts = {prompt.id: prompt for batch in batches for prompt in batch}
    failed, in_a_row = dict[str, str](), 0
    for reply in ask(model.endpoint, [_request(plan, prompt) for prompt in prompts.values()]):
        if not reply.error:
            in_a_row = 0
            yield [_answer(model, plan, prompts[reply.id], reply)]
            continue
        in_a_row += 1
        if reply.status in REFUSED or in_a_row >= GIVE_UP + model.endpoint.concurrency:
            raise InputError(f"{model.endpoint.base_url}: {reply.error}")
        failed[reply.id] = reply.error
        if plan.accept_unanswered:
            yield [Answer(reply.id, None, 0, False)]
    if failed and not plan.accept_unanswered:
        id_ = next(id_ for id_ in prompts if id_ in failed)  # they come in any order
        raise InputError(
            f"{model.endpoint.base_url}: {len(failed):,} of {len(prompts):,} prompts got no answer; the first, row "
            f"{_row(id_)!r}: {failed[id_]}. What was answered is kept: run the same command again to ask for the rest, or "
            f"with --accept-unanswered to count them as invalid"
        )


def _row(id_: str) -> str:
    return id_.partition("\0")[0]


def _request(plan: Plan, prompt: Prompt) -> Request:
    settings = {**(plan.extra or {}), **_constraint(plan, prompt.limit)}
    settings |= {"max_tokens": plan.max_new_tokens, "seed": plan.seed}
    samples = {**settings, "temperature": 1.0, "n": SAMPLES * plan.candidates, "logprobs": True}
    greedy = {**settings, "temperature": plan.temperature}
    return Request(prompt.id, prompt.messages, greedy, samples if prompt.several else None)


def _constraint(plan: Plan, limit: Limit) -> dict[str, Any]:
    if isinstance(limit, Texts):
        return CHOICE_AS[plan.choice_as](limit.texts)
    if isinstance(limit, Schema):
        schema = {"name": "attributes", "schema": limit.json, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {}


def _answer(model: Server, plan: Plan, prompt: Prompt, reply: Reply) -> Answer:
    _check_prompt(model, prompt, reply)
    first, asked = reply.choices[0], SAMPLES * plan.candidates
    ended = first.finish != "length"
    if ended and not _within(prompt.limit, first.text):
        raise InputError(
            f"{model.endpoint.base_url}: row {_row(prompt.id)!r}: found {first.text[:60]!r}, which the request did not "
            "allow: the server cannot constrain answers, or by another key (--choice-as); run without --constrain"
        )
    if prompt.several and len(reply.samples) < asked:
        raise InputError(
            f"{model.endpoint.base_url}: found {len(reply.samples)} answers, expected {asked} (n): the server cannot send "
            "several; run without --candidates"
        )
    further = [choice.text for choice in sorted(reply.samples, key=lambda choice: -(choice.logprob or 0.0))]
    tokens = reply.generated_tokens or 0
    return Answer(prompt.id, first.text, tokens, ended, reply.prompt_tokens or 0, further, reply.seconds)


def _check_prompt(model: Server, prompt: Prompt, reply: Reply) -> None:
    count = len(base.prompt_ids(model.tokenizer, prompt.id, prompt.messages)) if model.tokenizer else None
    if count is not None and reply.prompt_tokens not in (None, count):
        raise InputError(
            f"{model.endpoint.base_url}: row {_row(prompt.id)!r}: the server counted {reply.prompt_tokens} prompt tokens "
            f"where the checkpoint's chat template makes {count}: it serves another template or another checkpoint"
        )


def _within(limit: Limit, text: str) -> bool:
    if isinstance(limit, Texts):
        return text.strip() in limit.texts
    try:
        return limit is None or list(json.loads(text)) == list(limit.keys)
    except (ValueError, TypeError, RecursionError):
        return False
