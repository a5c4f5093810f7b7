"""``ecom-eval predict``: check the options, plan, ask a backend for what is not answered yet, write the predictions."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from converters.core.errors import InputError, nearest
from converters.io import jsonl
from converters.schema import Row
from eval.answers.base import Schema, Texts
from eval.inference import backends, confidence, prompts
from eval.inference.backends.base import Answer, Backend, Endpoint, Plan, Prompt
from eval.inference.backends.openai import CHOICE_AS
from eval.inference.prompts import Shots, takes_candidates

ONLY = {
    "transformers": {"batch_size"},
    "openai": {"base_url", "model", "concurrency", "timeout", "retries", "choice_as", "extra", "accept_unanswered"},
}
TOGETHER = {"few_shot": "train", "train": "few_shot", "paths": "constrain"}
# Keys that a request has already, or that would change answers without a record.
RESERVED = {"messages", "model", "stream", "max_tokens", "temperature", "seed", "n", "logprobs", "response_format"}
RESERVED |= {"use_beam_search", "length_penalty", *CHOICE_AS}

Progress = Callable[[int, int], None]
Clock = Callable[[], float]
Find = Callable[[str], Backend]
T = TypeVar("T")


def check(backend: str, named: Collection[str]) -> None:
    """Refuse an unknown backend, options of another backend, and options without the one that they belong to."""
    known = backends.names()
    if backend not in known:
        raise InputError(f"unknown backend {backend!r}{nearest(backend, known)}")
    for owner, names in ONLY.items():
        for name in sorted(names & {*named}):
            if backend != owner:
                raise InputError(f"{_flag(name)} is for the {owner} backend, found --backend {backend}")
    for name, other in TOGETHER.items():
        if name in named and other not in named:
            raise InputError(f"{_flag(name)} needs {_flag(other)}")
    if backend == "openai" and "base_url" not in named:
        raise InputError("the openai backend needs --base-url, such as http://127.0.0.1:8000/v1")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def plan(
    test_sha256: str, rows: Sequence[Row], checkpoint: str, options: Mapping[str, Any]
) -> tuple[Plan, tuple[str, ...], Shots | None]:
    """Return the plan, the taxonomy's paths and the demonstrations; ``options`` are those of the command line."""
    count, seed, choice_as, url = (options[name] for name in ("few_shot", "seed", "choice_as", "base_url"))
    if choice_as not in CHOICE_AS:
        raise InputError(f"unknown --choice-as {choice_as!r}{nearest(choice_as, list(CHOICE_AS))}")
    paths = prompts.read_paths(options["paths"]) if options["paths"] else ()
    shots, few_shot = None, None
    if count:
        needed = {(row.task, row.source) for row in rows}
        shots = prompts.draw(jsonl.stream(options["train"], Row), needed, count, seed)
        few_shot = {"count": count, "seed": seed, "train_sha256": jsonl.sha256(options["train"]), "ids": shots.ids}
    network = {name: options[name] for name in ("concurrency", "timeout", "retries")}
    same = ("max_new_tokens", "temperature", "seed", "batch_size", "choice_as", "accept_unanswered", "confidence")
    plan = Plan(
        test_sha256,
        **{name: options[name] for name in same},
        candidates=options["candidates"] or 0,
        constrain=_constrain(rows, options["paths"], paths) if options["constrain"] else None,
        few_shot=few_shot,
        endpoint=Endpoint(url, options["model"] or checkpoint, **network) if url else None,
        extra=_extra(options["extra"]) if options["extra"] else None,
    )
    return plan, paths, shots


def _constrain(rows: Sequence[Row], file: Path | None, paths: tuple[str, ...]) -> dict[str, Any]:
    """Return for the record by what each task's answers are constrained: ``texts``, ``json_schema`` or ``free``."""
    limits = {row.task: prompts.limit(row, paths) for row in rows}
    kinds = {task: {Texts: "texts", Schema: "json_schema"}.get(type(limits[task]), "free") for task in sorted(limits)}
    if {*kinds.values()} == {"free"}:
        raise InputError(f"--constrain: nothing constrains answers of {', '.join(kinds)}; paths need --paths FILE")
    return {"tasks": kinds, "paths_sha256": jsonl.sha256(file) if file else None, "paths": len(paths)}


def _extra(text: str) -> dict[str, Any]:
    try:
        keys = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"--extra: found {text[:60]!r}, expected a JSON object: {error}") from error
    if reserved := sorted(RESERVED & keys.keys()):
        raise InputError(f"--extra: {', '.join(reserved)} cannot be set here; options or the rows set them")
    return keys


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
    find: Find = backends.get,
) -> dict[str, Any]:
    """Write ``predictions.jsonl`` in the order of ``rows``, then ``predictions.json``, and return the latter's content.

    ``progress`` is called with (prompts done, all prompts): a row is one, or one a turn of a walk. ``clock`` gives seconds,
    ``find`` the backend by its name.
    """
    module = find(backend)
    turns = [prompts.questions(row) for row in rows]
    asked = _render(turns, plan, paths, shots)
    begin = clock()
    model = module.load(checkpoint, plan)
    origin = module.describe(model, plan)
    batches = module.batches(model, plan, asked)
    ranked = {"count": plan.candidates, "by": module.ranked_by(model, plan)} if plan.candidates else None
    told = {"by": module.confidence_by(model, plan)} if plan.confidence else None
    depends_on = [plan.test_sha256, plan.decoding, ranked, plan.choice_as, origin, *([told] if told else [])]
    file = partial_file(out, "predictions", depends_on)
    done = resumed(file, batches)
    begun = sum(of_row.keys() <= done.keys() for of_row in turns)
    figures = {"load_seconds": round(clock() - begin, 1), "rows": len(rows), "rows_resumed": begun}
    answer(module, model, plan, batches, done, file, progress, clock)
    final = out / "predictions.jsonl"
    pairs = list(zip(rows, turns, strict=True))
    sure = [confidence.of_row(row, prompts.steps(of_row, done)) if told else {} for row, of_row in pairs]
    jsonl.write_lines(final, (_line(*pair, done, plan, each) for pair, each in zip(pairs, sure, strict=True)))
    files = {"checkpoint": checkpoint, "test_sha256": plan.test_sha256, "predictions_sha256": jsonl.sha256(final)}
    settings: dict[str, Any] = {"decoding": plan.decoding, "candidates": ranked}
    settings |= {"confidence": told | {"not_available": sure.count(None)}} if told else {}
    record: dict[str, Any] = files | origin | settings | figures | effort(list(done.values()), len(rows))
    jsonl.write_json(out / "predictions.json", record)
    remove_partial(out, "predictions")
    return record


def resumed(file: Path, batches: Sequence[Sequence[Prompt]]) -> dict[str, Answer]:
    """Return the stored answers of the batches that were answered whole, by the prompt's id."""
    stored = {answer.id: answer for answer in read_partial(file, Answer)}
    whole = [batch for batch in batches if all(prompt.id in stored for prompt in batch)]
    return {prompt.id: stored[prompt.id] for batch in whole for prompt in batch}


def answer(
    module: Backend,
    model: Any,
    plan: Plan,
    batches: Sequence[Sequence[Prompt]],
    done: dict[str, Answer],
    file: Path,
    progress: Progress,
    clock: Clock,
) -> None:
    """Let a backend answer the batches that are not ``done``, and add the answers there and in ``file`` as they come."""
    todo = [batch for batch in batches if batch[0].id not in done]
    total = sum(map(len, batches))
    with appending(file, done.values()) as append:
        progress(len(done), total)
        for batch in _timed(module.answers(model, plan, todo), clock):
            append(batch)
            done |= {answer.id: answer for answer in batch}
            progress(len(done), total)


def _render(
    turns: Sequence[Mapping[str, Row]], plan: Plan, paths: tuple[str, ...], shots: Shots | None
) -> list[Prompt]:
    return [
        Prompt(
            key,
            shots.before(row) if shots else row.prompt,
            prompts.limit(row, paths) if plan.constrain else None,
            bool(plan.candidates) and takes_candidates(row.task),
            f"{row.task}/{row.source}" if shots else row.task,
        )
        for of_row in turns
        for key, row in of_row.items()
    ]


def _timed(batches: Iterator[list[Answer]], clock: Clock) -> Iterator[list[Answer]]:
    """Give every answer its share of the time since the batch before."""
    last = clock()
    for batch in batches:
        now = clock()
        share, last = (now - last) / len(batch), now
        yield [msgspec.structs.replace(answer, seconds=round(share, 6)) for answer in batch]


def _line(
    row: Row, turns: Mapping[str, Row], answers: Mapping[str, Answer], plan: Plan, sure: Mapping[str, float] | None
) -> dict[str, Any]:
    text = prompts.prediction(turns, answers)
    line: dict[str, Any] = {"id": row.id, "prediction": text}
    if plan.candidates and takes_candidates(row.task) and text is not None:
        line["candidates"] = prompts.candidates(row, text, answers[row.id].candidates, plan.candidates)
    return line | {"confidence": sure} if sure else line


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
        "cut_at_max_new_tokens": sum(not (a.ended or a.clipped) and a.prediction is not None for a in answers),
        "cut_at_context": sum(answer.clipped for answer in answers),
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds, 3) if seconds else None,
        "generated_tokens_per_second": round(generated / seconds, 1) if seconds else None,
    }
    if waits:
        p50, p95 = np.quantile(waits, [0.5, 0.95])
        figures["latency_seconds"] = {"p50": round(float(p50), 4), "p95": round(float(p95), 4)}
    return figures


def partial_file(out: Path, name: str, depends_on: Any) -> Path:
    """Return the file that an interrupted run resumes from; a run whose answers depend on other values has another one."""
    return out / f".{name}.{hashlib.sha256(msgspec.json.encode(depends_on)).hexdigest()[:16]}.partial"


def read_partial(file: Path, kind: type[T]) -> list[T]:
    """Return the answers in a file, if it is there; a line that was cut off, or is no answer, is skipped."""
    answers = []
    for line in file.read_bytes().split(b"\n")[:-1] if file.is_file() else []:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            answers.append(msgspec.json.decode(line, type=kind))
    return answers


@contextmanager
def appending(file: Path, answers: Iterable[T]) -> Iterator[Callable[[Sequence[T]], None]]:
    """Write the answers so far, and yield the function that appends and flushes more of them."""
    jsonl.write_lines(file, answers)
    with jsonl.writing(file), file.open("ab") as lines:

        def append(answers: Sequence[T]) -> None:
            lines.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
            lines.flush()

        yield append


def remove_partial(out: Path, name: str) -> None:
    """Remove the partial files of all settings."""
    for file in out.glob(f".{escape(name)}.*.partial"):
        file.unlink()
