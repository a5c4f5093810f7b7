"""``openai``: any OpenAI-compatible endpoint. The server renders the prompt, so its chat template has to be the checkpoint's.

If the checkpoint is a folder, that is checked by the number of prompt tokens. A server that cannot constrain an answer mostly
ignores the request to: every answer is checked, too.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.jsonl import template_sha256
from eval.answers.base import Limit, Schema, Texts
from eval.backends import base
from eval.backends.base import Answer, Plan, Prompt
from eval.checkpoint import Checkpoint, find
from eval.endpoint import REFUSED, Endpoint, Reply, Request, ask

CANDIDATES = "seeded samples at temperature 1, by log-probability where the endpoint sends it, else as sent"
SAMPLES = 2  # for each candidate: samples repeat themselves
GIVE_UP = 16  # failures in a row


@dataclass(frozen=True, slots=True)
class Server:
    """An endpoint, and the checkpoint that it serves, if that is a folder here."""

    endpoint: Endpoint
    checkpoint: Checkpoint | None
    tokenizer: Any


CHOICE_AS: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "structured_outputs": lambda texts: {"structured_outputs": {"choice": texts}},  # vLLM from 0.12
    "guided_choice": lambda texts: {"guided_choice": texts},  # vLLM before
    "grammar": lambda texts: {"grammar": "root ::= " + " | ".join(json.dumps(t, ensure_ascii=False) for t in texts)},
}


def load(checkpoint: str, plan: Plan) -> Server:
    """Return the endpoint, and the tokenizer if the checkpoint is a folder; no weights are loaded."""
    if plan.endpoint is None:
        raise InputError("the openai backend needs an address: --base-url http://127.0.0.1:8000/v1")
    local = find(checkpoint) if Path(checkpoint).is_dir() else None
    return Server(plan.endpoint, local, base.load_tokenizer(local) if local else None)


def describe(model: Server, plan: Plan) -> dict[str, Any]:
    """Return the checkpoint's hashes, if known, and the endpoint."""
    identity = model.checkpoint.identity if model.checkpoint else {"checkpoint_sha256": None}
    return {
        **identity,
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
    failed: dict[str, str] = {}
    in_a_row = 0
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
    if ended:
        _check_limit(model, prompt, first.text)
    if prompt.several and len(reply.samples) < asked:
        raise InputError(
            f"{model.endpoint.base_url}: found {len(reply.samples)} answers where {asked} were asked for (n): the server "
            "cannot send several; run without --candidates"
        )
    further = [choice.text for choice in sorted(reply.samples, key=lambda choice: -(choice.logprob or 0.0))]
    tokens = reply.generated_tokens or 0
    return Answer(prompt.id, first.text, tokens, ended, reply.prompt_tokens or 0, further, reply.seconds)


def _check_prompt(model: Server, prompt: Prompt, reply: Reply) -> None:
    if not model.tokenizer:
        return
    count = len(base.prompt_ids(model.tokenizer, prompt.id, prompt.messages))
    if reply.prompt_tokens not in (None, count):
        raise InputError(
            f"{model.endpoint.base_url}: row {_row(prompt.id)!r}: the server counted {reply.prompt_tokens} prompt tokens "
            f"where the checkpoint's chat template makes {count}: it serves another template or another checkpoint"
        )


def _check_limit(model: Server, prompt: Prompt, text: str) -> None:
    if not _within(prompt.limit, text):
        raise InputError(
            f"{model.endpoint.base_url}: row {_row(prompt.id)!r}: found {text[:60]!r}, which the request did not allow: "
            "the server cannot constrain answers, or by another key (--choice-as); run without --constrain"
        )


def _within(limit: Limit, text: str) -> bool:
    if isinstance(limit, Texts):
        return text.strip() in limit.texts
    try:
        return limit is None or list(json.loads(text)) == list(limit.keys)
    except (ValueError, TypeError, RecursionError):
        return False
