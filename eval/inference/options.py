"""The options of ``predict``, checked and turned into a plan."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from converters.core.errors import InputError, nearest
from converters.io.jsonl import sha256
from converters.schema import Row
from eval.inference import backends, constraints, prompts
from eval.inference.backends.base import Endpoint, Plan
from eval.inference.backends.openai import CHOICE_AS
from eval.inference.prompts import Shots

ONLY = {
    "transformers": {"batch_size"},
    "openai": {"base_url", "model", "concurrency", "timeout", "retries", "choice_as", "extra", "accept_unanswered"},
}
TOGETHER = {"few_shot": "train", "train": "few_shot", "paths": "constrain"}
# Keys that a request has already, or that would change answers without a record.
TAKEN = {
    "messages",
    "model",
    "stream",
    "max_tokens",
    "temperature",
    "seed",
    "n",
    "logprobs",
    "response_format",
    *CHOICE_AS,
}


def check(backend: str, given: Collection[str]) -> None:
    """Refuse an unknown backend, options of another backend, and options without the one that they belong to."""
    known = backends.names()
    if backend not in known:
        raise InputError(f"unknown backend {backend!r}{nearest(backend, known)}")
    for owner, names in ONLY.items():
        for name in sorted(names & {*given}):
            if backend != owner:
                raise InputError(f"{_flag(name)} is for the {owner} backend, found --backend {backend}")
    for name, other in TOGETHER.items():
        if name in given and other not in given:
            raise InputError(f"{_flag(name)} needs {_flag(other)}")
    if backend == "openai" and "base_url" not in given:
        raise InputError("the openai backend needs --base-url, such as http://127.0.0.1:8000/v1")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def plan(
    test_sha256: str, rows: Sequence[Row], checkpoint: str, options: Mapping[str, Any]
) -> tuple[Plan, tuple[str, ...], Shots | None]:
    """Return the plan, the taxonomy's paths and the demonstrations; ``options`` are those of the command line."""
    train, count, seed = options["train"], options["few_shot"], options["seed"]
    paths = constraints.read_paths(options["paths"]) if options["paths"] else ()
    shots = None
    if count:
        needed = {(row.task, row.source) for row in rows}
        shots = prompts.draw(prompts.read(train), needed, count, seed)
    same = ("max_new_tokens", "temperature", "seed", "batch_size", "accept_unanswered")
    plan = Plan(
        test_sha256,
        **{name: options[name] for name in same},
        candidates=options["candidates"] or 0,
        constrain=_constrain(rows, options["paths"], paths) if options["constrain"] else None,
        few_shot=prompts.record(train, shots, seed) if shots else None,
        endpoint=_endpoint(checkpoint, options) if options["base_url"] else None,
        choice_as=_choice_as(options["choice_as"]),
        extra=_extra(options["extra"]) if options["extra"] else None,
    )
    return plan, paths, shots


def _constrain(rows: Sequence[Row], file: Path | None, paths: tuple[str, ...]) -> dict[str, Any]:
    kinds = constraints.kinds({row.task: constraints.limit(row, paths) for row in rows})
    if set(kinds.values()) == {"free"}:
        raise InputError(
            f"--constrain: nothing constrains answers of {', '.join(sorted(kinds))}; paths need --paths FILE"
        )
    return {"tasks": dict(sorted(kinds.items())), "paths_sha256": sha256(file) if file else None, "paths": len(paths)}


def _endpoint(checkpoint: str, options: Mapping[str, Any]) -> Endpoint:
    how = {name: options[name] for name in ("concurrency", "timeout", "retries")}
    return Endpoint(options["base_url"], options["model"] or checkpoint, **how)


def _choice_as(name: str) -> str:
    if name not in CHOICE_AS:
        raise InputError(f"unknown --choice-as {name!r}{nearest(name, list(CHOICE_AS))}")
    return name


def _extra(text: str) -> dict[str, Any]:
    try:
        keys = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"--extra: found {text[:60]!r}, expected a JSON object: {error}") from error
    if taken := sorted(TAKEN & keys.keys()):
        raise InputError(f"--extra: found {', '.join(taken)}, which options of their own or the rows decide")
    return keys
