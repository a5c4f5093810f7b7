"""A checkpoint's answers to the test rows, generated greedily with transformers: the only module that imports torch.

It renders no prompt: it sends ``messages[:-1]`` through the chat template saved with the checkpoint. Batches are made of all
rows, longest first, whatever is already answered, and a batch counts only once all of it is written. So a run that was stopped
goes on with the same batches, and its result is the same to the last byte.

A row of a task that is a walk is asked turn by turn, each turn with the right answers to the earlier ones. Its prediction is the
first answer that is not the right one, or the last: where a walk that goes on from its own answers would first leave the path.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import torch
import transformers
from huggingface_hub import snapshot_download
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from converters import jsonl, tasks
from converters.errors import InputError
from converters.examples import Row

Progress = Callable[[int, int, int], None]
Clock = Callable[[], float]
# Second copies of the weights in other formats, which transformers does not load.
OTHER_FORMATS = ["consolidated*", "original/*", "*.bin", "*.pth", "*.gguf", "*.onnx", "*.h5", "*.msgpack"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the answers depend on beside the checkpoint: the test file's hash and how answers are generated."""

    test_sha256: str
    batch_size: int = 16
    max_new_tokens: int = 128


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded checkpoint and the hash over its files."""

    network: Any
    tokenizer: Any
    sha256: str
    device: str
    dtype: str


class Answer(msgspec.Struct, frozen=True):
    """One answered prompt; ``tokens`` counts what was generated, the end token included if it ``ended``."""

    id: str
    prediction: str
    tokens: int
    ended: bool


def predict(
    checkpoint: str, rows: Sequence[Row], plan: Plan, out: Path, progress: Progress, clock: Clock
) -> dict[str, Any]:
    """Write ``predictions.jsonl`` in the order of ``rows``, then ``predictions.json``, and return the latter's content.

    ``progress`` is called with (prompts done, those done by this call, all prompts): a row is one, or one a turn of a walk.
    ``clock`` tells the seconds since the start.
    """
    folder = locate(checkpoint)
    model = load(folder, checkpoint_sha256(folder))
    asked = [questions(row) for row in rows]
    prompts = {key: prompt_ids(model.tokenizer, row) for turns in asked for key, row in turns.items()}
    partial = out / f".predictions.{_fingerprint(model, plan)}.partial"
    batches = plan_batches(prompts, plan.batch_size)
    done = _finished(partial, batches)
    resumed, answered = len(done), sum(turns.keys() <= done.keys() for turns in asked)
    progress(resumed, 0, len(prompts))
    jsonl.write_lines(partial, done.values())
    with partial.open("ab") as file:
        for batch in (batch for batch in batches if batch[0] not in done):
            answers = _answers(model, plan, batch, prompts)
            file.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
            file.flush()
            done |= {answer.id: answer for answer in answers}
            progress(len(done), len(done) - resumed, len(prompts))
    final = out / "predictions.jsonl"
    jsonl.write_lines(
        final, ({"id": row.id, "prediction": said(turns, done)} for row, turns in zip(rows, asked, strict=True))
    )
    figures = {"rows": len(rows), "rows_resumed": answered, "seconds": round(clock(), 1)}
    record = _origin(checkpoint, model, plan, jsonl.sha256(final)) | figures | _tokens(prompts, list(done.values()))
    jsonl.write_json(out / "predictions.json", record)
    for stale in out.glob(".predictions.*.partial"):
        stale.unlink()
    return record


def questions(row: Row) -> dict[str, Row]:
    """Return what is asked for a row, by a key of its own: the row itself, or for a walk a row that ends with each answer."""
    if not tasks.get(row.task).walk:
        return {row.id: row}
    ends = (number for number, turn in enumerate(row.messages, 1) if turn.role == "assistant")
    return {f"{row.id}\0{end}": msgspec.structs.replace(row, messages=row.messages[:end]) for end in ends}


def said(turns: Mapping[str, Row], done: Mapping[str, Answer]) -> str:
    """Return a row's prediction: its first answer that its task does not read as the right one, or the last."""
    answers = [(done[key].prediction, row) for key, row in turns.items()]
    wrong = (text for text, row in answers if tasks.get(row.task).parse(text) != row.gold)
    return next(wrong, answers[-1][0])


def locate(checkpoint: str) -> Path:
    """Return the folder of a checkpoint, fetched from the hub if it is not a folder."""
    if Path(checkpoint).is_dir():
        return Path(checkpoint)
    try:
        return Path(snapshot_download(checkpoint, ignore_patterns=OTHER_FORMATS))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{checkpoint}: found no such folder and cannot fetch it from the hub: {_first_line(error)}"
        ) from error


def checkpoint_sha256(folder: Path) -> str:
    """Return one hash over the names and hashes of all files in a checkpoint's folder, hidden ones left out."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    digest = hashlib.sha256()
    for name in sorted(name for name in files if not any(part.startswith(".") for part in name.parts)):
        digest.update(f"{name.as_posix()}\0{jsonl.sha256(files[name])}\n".encode())
    return digest.hexdigest()


def load(folder: Path, sha256: str) -> Model:
    """Load a checkpoint: bf16 on a GPU, fp32 on a CPU. One without a chat template is an :class:`InputError`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{folder}: cannot be loaded as a model with its tokenizer: {_first_line(error)}") from error
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(
            f"{folder}: found no chat template, expected one saved with the checkpoint (chat_template.jinja)"
        )
    return Model(network, tokenizer, sha256, device, str(dtype).removeprefix("torch."))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def prompt_ids(tokenizer: Any, row: Row) -> list[int]:
    """Return the token ids of a row's prompt as the template writes them; the template alone decides on BOS."""
    try:
        found = tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True, tokenize=True, return_dict=False)
    except TemplateError as error:
        raise InputError(
            f"row {row.id!r}: the checkpoint's chat template refuses its messages: {_first_line(error)}"
        ) from error
    return list(found)


def plan_batches(prompts: dict[str, list[int]], size: int) -> list[list[str]]:
    """Return the ids in batches of like length, longest first, so that a lack of memory shows at once.

    >>> plan_batches({"a": [1], "b": [1, 2], "c": [3, 4]}, 2)
    [['b', 'c'], ['a']]
    """
    ids = sorted(prompts, key=lambda id_: (-len(prompts[id_]), id_))
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _finished(partial: Path, batches: list[list[str]]) -> dict[str, Answer]:
    lines = partial.read_bytes().split(b"\n")[:-1] if partial.is_file() else []
    found = {answer.id: answer for answer in (msgspec.json.decode(line, type=Answer) for line in lines)}
    return {id_: found[id_] for batch in batches if all(id_ in found for id_ in batch) for id_ in batch}


def _fingerprint(model: Model, plan: Plan) -> str:
    parts = [model.sha256, model.device, model.dtype, asdict(plan), _versions()]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")}


def _answers(model: Model, plan: Plan, batch: Sequence[str], prompts: dict[str, list[int]]) -> list[Answer]:
    ends = end_ids(model)
    pad = model.tokenizer.pad_token_id if model.tokenizer.pad_token_id is not None else ends[0]
    width = max(len(prompts[id_]) for id_ in batch)
    ids = torch.tensor([[pad] * (width - len(prompts[i])) + prompts[i] for i in batch], device=model.device)
    mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch], device=model.device)
    # The checkpoint's own generation settings may sample or penalise repetition: they are put out of force here.
    model.network.generation_config = greedy = GenerationConfig(
        do_sample=False, max_new_tokens=plan.max_new_tokens, eos_token_id=ends, pad_token_id=pad
    )
    with torch.inference_mode(), _enough_memory(plan.batch_size):
        made = model.network.generate(input_ids=ids, attention_mask=mask, generation_config=greedy)
    cut = (_until_end(line, ends) for line in made[:, width:].tolist())
    return [_answer(model.tokenizer, id_, line, ends) for id_, line in zip(batch, cut, strict=True)]


def _answer(tokenizer: Any, id_: str, line: list[int], ends: Sequence[int]) -> Answer:
    text = tokenizer.decode(line, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Answer(id_, text, len(line), line[-1] in ends)


def end_ids(model: Model) -> list[int]:
    """Return the ids that end an answer: the tokenizer's and those of the checkpoint's generation settings."""
    configured = model.network.generation_config.eos_token_id
    more = configured if isinstance(configured, list) else [configured]
    ends = [id_ for id_ in dict.fromkeys([model.tokenizer.eos_token_id, *more]) if id_ is not None]
    if not ends:
        raise InputError("the checkpoint names no end-of-sequence token, expected eos_token in its tokenizer")
    return ends


def _until_end(line: list[int], ends: Sequence[int]) -> list[int]:
    stop = next((place for place, id_ in enumerate(line) if id_ in ends), len(line))
    return line[: stop + 1]


@contextmanager
def _enough_memory(batch_size: int) -> Iterator[None]:
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        smaller = f"; try --batch-size {batch_size // 2}" if batch_size > 1 else ""
        raise InputError(f"the GPU ran out of memory with batches of {batch_size}{smaller}") from error


def _origin(checkpoint: str, model: Model, plan: Plan, predictions_sha256: str) -> dict[str, Any]:
    template = model.tokenizer.chat_template
    text = template if isinstance(template, str) else msgspec.json.encode(template).decode()
    return {
        "checkpoint": checkpoint,
        "checkpoint_sha256": model.sha256,
        "template_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "test_sha256": plan.test_sha256,
        "predictions_sha256": predictions_sha256,
        "decoding": {"do_sample": False, "num_beams": 1, "max_new_tokens": plan.max_new_tokens},
        "backend": {
            "name": "transformers",
            "device": model.device,
            "dtype": model.dtype,
            "batch_size": plan.batch_size,
        },
        "versions": _versions(),
    }


def _tokens(prompts: dict[str, list[int]], answers: Sequence[Answer]) -> dict[str, int]:
    return {
        "prompt_tokens": sum(map(len, prompts.values())),
        "longest_prompt": max(map(len, prompts.values())),
        "generated_tokens": sum(answer.tokens for answer in answers),
        "cut_at_max_new_tokens": sum(not answer.ended for answer in answers),
    }
