"""``openai``: any OpenAI-compatible endpoint. The server renders the prompt, so its chat template has to be the checkpoint's.

Where the checkpoint is a folder, that is checked: the server must count as many prompt tokens as the checkpoint's template makes.
A server that does not know how to constrain an answer mostly says nothing: every answer is checked, too.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.sums import template_sha256
from eval.backends import base
from eval.backends.base import Answer, Plan, Prompt
from eval.checkpoint import Checkpoint, find
from eval.constraints import Limit, Schema, Texts
from eval.endpoint import REFUSED, Choice, Endpoint, Reply, Request, ask

CANDIDATES = "seeded samples at temperature 1, by log-probability where the endpoint sends it, else as sent"
SAMPLES = 2  # for each candidate: samples repeat themselves
GIVE_UP = 16  # failures in a row
SAID, MORE = "1", "2"  # begin the ids of the two requests for a prompt


@dataclass(frozen=True, slots=True)
class Server:
    """An endpoint, and the checkpoint that it serves as far as it is at hand."""

    endpoint: Endpoint
    checkpoint: Checkpoint | None
    tokenizer: Any


CHOICE_AS: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "structured_outputs": lambda texts: {"structured_outputs": {"choice": texts}},  # vLLM from 0.12
    "guided_choice": lambda texts: {"guided_choice": texts},  # vLLM before
    "grammar": lambda texts: {"grammar": "root ::= " + " | ".join(json.dumps(t, ensure_ascii=False) for t in texts)},
}


def load(checkpoint: str, plan: Plan) -> Server:
    """Return the endpoint; of a checkpoint that is a folder the tokenizer is loaded, never its weights."""
    if plan.endpoint is None:
        raise InputError("the openai backend needs an address: --base-url http://127.0.0.1:8000/v1")
    found = find(checkpoint) if Path(checkpoint).is_dir() else None
    return Server(plan.endpoint, found, base.load_tokenizer(found) if found else None)


def describe(model: Server, plan: Plan) -> dict[str, Any]:
    """Return the checkpoint's hashes as far as they are known, and who was asked."""
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
    """Yield answers as they come in; what no answer came for is an ``InputError`` at the end, or accepted as ``null``."""
    prompts = {prompt.id: prompt for batch in batches for prompt in batch}
    requests = [request for prompt in prompts.values() for request in _requests(plan, prompt)]
    waiting: dict[str, dict[str, Reply]] = {id_: {} for id_ in prompts}
    failed: dict[str, str] = {}
    in_a_row = {SAID: 0, MORE: 0}
    for reply in ask(model.endpoint, requests):
        kind, id_ = reply.id[0], reply.id[1:]
        in_a_row[kind] = in_a_row[kind] + 1 if reply.error else 0
        if reply.status in REFUSED or in_a_row[kind] >= GIVE_UP + model.endpoint.concurrency:
            raise InputError(f"{model.endpoint.base_url}: {reply.error}")
        waiting[id_][kind] = reply
        if len(waiting[id_]) == 1 + prompts[id_].several:
            answer = _answer(model, plan, prompts[id_], waiting.pop(id_))
            if isinstance(answer, Answer):
                yield [answer]
            else:
                failed[id_] = answer
                if plan.accept_unanswered:
                    yield [Answer(id_, None, 0, False)]
    if failed and not plan.accept_unanswered:
        id_ = next(id_ for id_ in prompts if id_ in failed)  # they come in any order
        raise InputError(
            f"{model.endpoint.base_url}: {len(failed):,} of {len(prompts):,} prompts got no answer; the first, row "
            f"{_row(id_)!r}: {failed[id_]}. What was answered is kept: run the same command again to ask for the rest, or "
            f"with --accept-unanswered to count them as invalid"
        )


def _row(id_: str) -> str:
    return id_.partition("\0")[0]


def _requests(plan: Plan, prompt: Prompt) -> Iterator[Request]:
    settings = {**(plan.extra or {}), **_held(plan, prompt.limit), "max_tokens": plan.max_new_tokens, "seed": plan.seed}
    yield Request(SAID + prompt.id, prompt.messages, {**settings, "temperature": plan.temperature})
    if prompt.several:
        sampled = {"temperature": 1.0, "n": SAMPLES * plan.candidates, "logprobs": True}
        yield Request(MORE + prompt.id, prompt.messages, {**settings, **sampled})


def _held(plan: Plan, limit: Limit) -> dict[str, Any]:
    if isinstance(limit, Texts):
        return CHOICE_AS[plan.choice_as](limit.texts)
    if isinstance(limit, Schema):
        schema = {"name": "attributes", "schema": limit.json, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {}


def _answer(model: Server, plan: Plan, prompt: Prompt, replies: Mapping[str, Reply]) -> Answer | str:
    """Return a prompt's answer, or the sentence that says why there is none."""
    errors = [reply.error for reply in replies.values() if reply.error]
    if errors:
        return errors[0]
    said = replies[SAID]
    _check_prompt(model, prompt, said)
    first, ended = said.choices[0], said.choices[0].finish != "length"
    if ended:
        _check_limit(model, prompt, first.text)
    sampled = _samples(model, plan, replies[MORE]) if prompt.several else ()
    further = [choice.text for choice in sorted(sampled, key=lambda choice: -(choice.logprob or 0.0))]
    tokens = said.generated_tokens or 0
    return Answer(prompt.id, first.text, tokens, ended, said.prompt_tokens or 0, further, said.seconds)


def _samples(model: Server, plan: Plan, reply: Reply) -> tuple[Choice, ...]:
    asked = SAMPLES * plan.candidates
    if len(reply.choices) < asked:
        raise InputError(
            f"{model.endpoint.base_url}: found {len(reply.choices)} answers where {asked} were asked for (n): the server "
            "cannot send several; run without --candidates"
        )
    return reply.choices


def _check_prompt(model: Server, prompt: Prompt, reply: Reply) -> None:
    made = len(base.prompt_ids(model.tokenizer, prompt.id, prompt.messages)) if model.tokenizer else None
    if made is not None and reply.prompt_tokens not in (None, made):
        raise InputError(
            f"{model.endpoint.base_url}: row {_row(prompt.id)!r}: the server counted {reply.prompt_tokens} prompt tokens "
            f"where the checkpoint's chat template makes {made}: it serves another template or another checkpoint"
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
