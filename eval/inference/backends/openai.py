"""``openai``: any OpenAI-compatible endpoint; what it serves has to be the checkpoint, where that is a folder here.

Further candidates of an answer that is constrained to texts are asked for one by one, each without those before. Others come from
vLLM's beam search, which keeps to no constraint, and from samples where the endpoint is not vLLM.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.io.jsonl import template_sha256
from eval.answers.base import Limit, Schema, Texts
from eval.inference.backends import _offsets, base
from eval.inference.backends._client import REFUSED, Choice, Reply, Request, Served, ask, served
from eval.inference.backends.base import Answer, Endpoint, Plan, Prompt
from eval.inference.checkpoint import Checkpoint, find

SAMPLES = 2  # for each candidate: samples repeat themselves
GIVE_UP = 16  # failures in a row
CHOICE_AS: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "structured_outputs": lambda texts: {"structured_outputs": {"choice": texts}},  # vLLM from 0.12
    "guided_choice": lambda texts: {"guided_choice": texts},  # vLLM before
    "grammar": lambda texts: {"grammar": "root ::= " + " | ".join(json.dumps(t, ensure_ascii=False) for t in texts)},
}


@dataclass(frozen=True, slots=True)
class Server:
    """An endpoint, what it says of its model, and the checkpoint that it serves, if that is a folder here."""

    endpoint: Endpoint
    says: Served
    checkpoint: Checkpoint | None
    tokenizer: Any


def load(checkpoint: str, plan: Plan) -> Server:
    """Return the endpoint, and the tokenizer if the checkpoint is a folder; no weights are loaded."""
    if plan.endpoint is None:
        raise InputError("the openai backend needs an address: --base-url http://127.0.0.1:8000/v1")
    local = find(checkpoint) if Path(checkpoint).is_dir() else None
    return Server(plan.endpoint, served(plan.endpoint), local, base.load_tokenizer(local) if local else None)


def describe(model: Server, plan: Plan) -> dict[str, Any]:
    """Return the checkpoint's hashes, if known, and the endpoint."""
    identity = model.checkpoint.identity if model.checkpoint else {"checkpoint_sha256": None}
    known = {"server": model.says.owner, "context": model.says.context}
    return identity | {
        "template_sha256": template_sha256(model.tokenizer.chat_template) if model.tokenizer else None,
        "backend": {"name": "openai", "base_url": model.endpoint.base_url, "model": model.endpoint.model}
        | {key: value for key, value in known.items() if value is not None},
        "versions": base.versions("openai"),
    }


def ranked_by(model: Server, plan: Plan) -> str:
    """Return how further candidates are found and ranked, for the record."""
    free = (
        base.BEAMS
        if _has_beams(model)
        else "seeded samples at temperature 1 (the endpoint is not vLLM, which has a beam search)"
    )
    return f"{base.CHOICES}; {free}" if plan.constrain else free


def confidence_by(model: Server, plan: Plan) -> str:
    """Return which probabilities of its tokens it tells, for the record."""
    told = "probabilities of the tokens as the endpoint tells them, the end token's where it does"
    return f"{told} (vLLM: at temperature 1, among those that a constraint allows)"


def _has_beams(model: Server) -> bool:
    return model.says.owner == "vllm"


def batches(model: Server, plan: Plan, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Return every prompt as a batch of its own."""
    return [[prompt] for prompt in prompts]


def answers(model: Server, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
    """Yield answers as they come in; a prompt without one is an ``InputError`` at the end, or accepted as ``null``."""
    prompts = {prompt.id: prompt for batch in batches for prompt in batch}
    failed, in_a_row = dict[str, str](), 0
    for reply in ask(model.endpoint, [_request(model, plan, prompt) for prompt in prompts.values()]):
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
        raise InputError(f"{model.endpoint.base_url}: {_unanswered(plan, prompts, failed)}")


def _unanswered(plan: Plan, prompts: Mapping[str, Prompt], failed: Mapping[str, str]) -> str:
    """Return what got no answer and, where a command has an option for that, what can be done."""
    if len(prompts) == 1 and plan.accept_unanswered is None:
        return failed[next(iter(prompts))]
    id_ = next(id_ for id_ in prompts if id_ in failed)  # they come in any order
    first = (
        f"{len(failed):,} of {len(prompts):,} prompts got no answer; the first, row {base.row_of(id_)!r}: {failed[id_]}"
    )
    if plan.accept_unanswered is None:
        return first
    return (
        f"{first}. What was answered is kept: run the same command again to ask for the rest, or with --accept-unanswered to "
        "count them as invalid"
    )


def _request(model: Server, plan: Plan, prompt: Prompt) -> Request:
    settings = {**(plan.extra or {}), "max_tokens": plan.max_new_tokens, "seed": plan.seed}
    greedy = {**settings, **_constraint(plan, prompt.limit), "temperature": plan.temperature}
    greedy |= {"logprobs": True} if plan.confidence else {}
    if not prompt.several:
        return Request(prompt.id, prompt.messages, greedy)
    if isinstance(prompt.limit, Texts):
        follow = partial(_next_choice, plan, prompt.limit, {**settings, "temperature": 0.0, "logprobs": True})
    else:
        follow = partial(_beams if _has_beams(model) else _samples, plan, settings)
    return Request(prompt.id, prompt.messages, greedy, follow)


def _next_choice(plan: Plan, limit: Limit, settings: Mapping[str, Any], reply: Reply) -> Mapping[str, Any] | None:
    found = [reply.choices[0].text, *(choices[0].text for choices in reply.further)]
    left = base.left_over(limit, found, plan.candidates)
    return {**settings, **CHOICE_AS[plan.choice_as](left)} if left else None


def _beams(plan: Plan, settings: Mapping[str, Any], reply: Reply) -> Mapping[str, Any] | None:
    if reply.further:
        return None
    longest = base.longest_beam(plan, reply.generated_tokens or plan.max_new_tokens)
    how = {"use_beam_search": True, "n": plan.candidates + base.BEAMS_MORE, "length_penalty": 0.0, "temperature": 0.0}
    return {**settings, **how, "max_tokens": longest}


def _samples(plan: Plan, settings: Mapping[str, Any], reply: Reply) -> Mapping[str, Any] | None:
    if reply.further:
        return None
    return {**settings, "temperature": 1.0, "n": SAMPLES * plan.candidates, "logprobs": True}


def _constraint(plan: Plan, limit: Limit) -> dict[str, Any]:
    if isinstance(limit, Texts):
        return CHOICE_AS[plan.choice_as](limit.texts)
    if isinstance(limit, Schema):
        schema = {"name": "attributes", "schema": limit.json, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {}


def _answer(model: Server, plan: Plan, prompt: Prompt, reply: Reply) -> Answer:
    _check_prompt(model, prompt, reply)
    first = reply.choices[0]
    ended = first.finish != "length"
    if ended and not _within(prompt.limit, first.text):
        raise InputError(
            f"{model.endpoint.base_url}: row {base.row_of(prompt.id)!r}: found {first.text[:60]!r}, which the request did not "
            "allow: the server cannot constrain answers, or by another key (--choice-as); run without --constrain"
        )
    tokens = reply.generated_tokens or 0
    clipped = not ended and 0 < tokens < plan.max_new_tokens
    further = _further(model, plan, prompt, reply) if prompt.several else []
    told = _offsets.of_bytes(first.tokens or (), first.text) if plan.confidence else []
    counts = (tokens, ended, reply.prompt_tokens or 0)
    return Answer(prompt.id, first.text, *counts, further, reply.seconds, clipped=clipped, logprobs=told)


def _further(model: Server, plan: Plan, prompt: Prompt, reply: Reply) -> list[str]:
    """Return further answers, likeliest first, those that were cut last."""
    choices = [choice for further in reply.further for choice in further]
    if not isinstance(prompt.limit, Texts):
        beams = _has_beams(model)
        asked = plan.candidates + base.BEAMS_MORE if beams else SAMPLES * plan.candidates
        if len(choices) < asked:
            raise InputError(
                f"{model.endpoint.base_url}: found {len(choices)} answers, expected {asked} (n): the server cannot send "
                "several; run without --candidates"
            )
        if beams:
            choices.sort(key=lambda choice: choice.finish == "length")
            return [choice.text for choice in choices]
    return [choice.text for choice in sorted(choices, key=_by_probability)]


def _by_probability(choice: Choice) -> float:
    return -(choice.logprob or 0.0)


def _check_prompt(model: Server, prompt: Prompt, reply: Reply) -> None:
    count = len(base.prompt_ids(model.tokenizer, prompt.id, prompt.messages)) if model.tokenizer else None
    if count is not None and reply.prompt_tokens not in (None, count):
        raise InputError(
            f"{model.endpoint.base_url}: row {base.row_of(prompt.id)!r}: the server counted {reply.prompt_tokens} prompt tokens "
            f"where the checkpoint's chat template makes {count}: it serves another template or another checkpoint"
        )


def _within(limit: Limit, text: str) -> bool:
    if isinstance(limit, Texts):
        return text.strip() in limit.texts
    try:
        return limit is None or list(json.loads(text)) == list(limit.keys)
    except (ValueError, TypeError, RecursionError):
        return False
