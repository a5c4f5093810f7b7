"""The options of ``predict``, checked and turned into a plan."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from converters.core.errors import InputError, nearest
from converters.io import jsonl
from converters.io.jsonl import sha256
from converters.schema import Row
from eval.inference import backends, prompts
from eval.inference.backends import base
from eval.inference.backends.base import Answer, Endpoint, Plan, Prompt, read_paths
from eval.inference.backends.openai import CHOICE_AS
from eval.inference.prompts import Shots, candidates, draw, questions, said, several

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
    paths = read_paths(options["paths"]) if options["paths"] else ()
    shots = None
    if count:
        needed = {(row.task, row.source) for row in rows}
        shots = draw(prompts.read(train), needed, count, seed)
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
    kinds = base.kinds({row.task: base.limit(row, paths) for row in rows})
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


T = TypeVar("T")


def path(out: Path, name: str, depends_on: Any) -> Path:
    """Return the file for answers that depend on these values: a run with others has a file of its own."""
    return out / f".{name}.{hashlib.sha256(msgspec.json.encode(depends_on)).hexdigest()[:16]}.partial"


def read(file: Path, kind: type[T]) -> list[T]:
    """Return the answers in a file, if it is there; a line that was cut off, or is no answer, counts for nothing."""
    answers = []
    for line in file.read_bytes().split(b"\n")[:-1] if file.is_file() else []:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            answers.append(msgspec.json.decode(line, type=kind))
    return answers


@contextmanager
def appending(file: Path, done: Iterable[T]) -> Iterator[Callable[[Sequence[T]], None]]:
    """Write what is ``done``, and yield the function that writes more of it, at once."""
    jsonl.write_lines(file, done)
    with file.open("ab") as lines:

        def write(answers: Sequence[T]) -> None:
            lines.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
            lines.flush()

        yield write


def clear(out: Path, name: str) -> None:
    """Remove the files of runs that are over."""
    for file in out.glob(f".{name}.*.partial"):
        file.unlink()


Progress = Callable[[int, int], None]
Clock = Callable[[], float]
Turns = Sequence[Mapping[str, Row]]


def rendered(turns: Turns, plan: Plan, paths: tuple[str, ...], shots: Shots | None) -> list[Prompt]:
    """Return the prompts of rows; ``paths`` are those of the taxonomy, for constrained answers."""
    return [
        Prompt(
            key,
            [*(shots.turns(row) if shots else ()), *row.prompt],
            base.limit(row, paths) if plan.constrain else None,
            bool(plan.candidates) and several(row.task),
        )
        for part in turns
        for key, row in part.items()
    ]


def predict(
    backend: str,
    checkpoint: str,
    rows: Sequence[Row],
    plan: Plan,
    out: Path,
    progress: Progress,
    clock: Clock,
    paths: tuple[str, ...] = (),
    shots: Shots | None = None,
) -> dict[str, Any]:
    """Write ``predictions.jsonl`` in the order of ``rows``, then ``predictions.json``, and return the latter's content.

    ``progress`` is called with (prompts done, all prompts): a row is one, or one a turn of a walk. ``clock`` gives seconds.
    """
    module = backends.get(backend)
    turns = [questions(row) for row in rows]
    asked = rendered(turns, plan, paths, shots)
    begin = clock()
    model = module.load(checkpoint, plan)
    origin = module.describe(model, plan)
    batches = module.batches(model, plan, asked)
    depends_on = [plan.test_sha256, plan.decoding, plan.candidates, plan.choice_as, origin]
    file = path(out, "predictions", depends_on)
    known = {answer.id: answer for answer in read(file, Answer)}
    whole = [batch for batch in batches if all(prompt.id in known for prompt in batch)]
    done = {prompt.id: known[prompt.id] for batch in whole for prompt in batch}
    resumed = sum(part.keys() <= done.keys() for part in turns)
    figures = {"load_seconds": round(clock() - begin, 1), "rows": len(rows), "rows_resumed": resumed}
    todo = [batch for batch in batches if batch[0].id not in done]
    with appending(file, done.values()) as keep:
        progress(len(done), len(asked))
        for batch in _timed(module.answers(model, plan, todo), clock):
            keep(batch)
            done |= {answer.id: answer for answer in batch}
            progress(len(done), len(asked))
    final = out / "predictions.jsonl"
    jsonl.write_lines(final, (_line(row, part, done, plan) for row, part in zip(rows, turns, strict=True)))
    ranked = {"count": plan.candidates, "by": module.CANDIDATES} if plan.candidates else None
    files = {"checkpoint": checkpoint, "test_sha256": plan.test_sha256, "predictions_sha256": jsonl.sha256(final)}
    settings = {"decoding": plan.decoding, "candidates": ranked}
    record: dict[str, Any] = files | origin | settings | figures | effort(list(done.values()), len(rows))
    jsonl.write_json(out / "predictions.json", record)
    clear(out, "predictions")
    return record


def _timed(batches: Iterator[list[Answer]], clock: Clock) -> Iterator[list[Answer]]:
    """Give every answer its share of the time since the batch before."""
    last = clock()
    for batch in batches:
        now = clock()
        share, last = (now - last) / len(batch), now
        yield [msgspec.structs.replace(answer, seconds=round(share, 6)) for answer in batch]


def _line(row: Row, turns: Mapping[str, Row], done: Mapping[str, Answer], plan: Plan) -> dict[str, Any]:
    prediction = said(turns, done)
    line = {"id": row.id, "prediction": prediction}
    if not plan.candidates or not several(row.task) or prediction is None:
        return line
    return {**line, "candidates": candidates(row, prediction, done[row.id].candidates, plan.candidates)}


def effort(answers: Sequence[Answer], rows: int) -> dict[str, Any]:
    """Return what the answers took: tokens, and seconds of generation summed over all sittings, lost batches left out.

    Latency is recorded only where prompts are answered one by one, tokens of an endpoint only if it counted them.
    """
    seconds, generated = sum(answer.seconds for answer in answers), sum(answer.tokens for answer in answers)
    waits = [answer.latency for answer in answers if answer.latency is not None]
    figures: dict[str, Any] = {
        "prompts": len(answers),
        "unanswered": sum(answer.prediction is None for answer in answers),
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "longest_prompt": max(answer.prompt_tokens for answer in answers),
        "generated_tokens": generated,
        "cut_at_max_new_tokens": sum(not answer.ended and answer.prediction is not None for answer in answers),
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds, 3) if seconds else None,
        "generated_tokens_per_second": round(generated / seconds, 1) if seconds else None,
    }
    if waits:
        p50, p95 = np.quantile(waits, [0.5, 0.95])
        figures["latency_seconds"] = {"p50": round(float(p50), 4), "p95": round(float(p95), 4)}
    return figures
