"""The proof that evaluation sends the model the very token ids that it saw in training, and that it learnt the whole answer.

For sample rows of every task, the ids as Axolotl's own chat-template strategy makes them are held against those that evaluation
sends (``apply_chat_template`` on all messages but the last): the same prompt, one BOS, the prompt masked, the answer and its end
token supervised.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import InputError
from converters.examples import Row
from converters.jsonl import decode, numbered
from recipes.runner.recipe import Recipe

MASKED = -100
ROWS_PER_TASK = 8


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as training and as evaluation see it."""

    id: str
    prompt: list[int]  # what evaluation sends
    ids: list[int]  # what Axolotl trains on
    labels: list[int]  # MASKED where nothing is learnt
    history: int  # ids of the earlier turns, whose answers may be learnt, too
    target: str


def prove(recipe: Recipe, config: Any, paths: Sequence[Path]) -> dict[str, int]:
    """Return how many rows of each task were proven; the first row that fails is an ``InputError``."""
    tokenizer = load_tokenizer(config)
    proven: dict[str, int] = {}
    for entry, path in zip([*config.datasets, *(config.test_datasets or [])], paths, strict=True):
        strategy = _strategy(tokenizer, config, entry)
        for row in samples(path):
            encoded = encode(row, strategy, tokenizer)
            if len(encoded.ids) > config.sequence_len:
                continue  # Axolotl drops or cuts it; what a cut row loses is not this proof's question
            _refuse(path, encoded, tokenizer)
            proven[row.task] = proven.get(row.task, 0) + 1
    if not proven:
        raise InputError(f"{recipe.path}: every sample row is longer than sequence_len {config.sequence_len}; raise it")
    return dict(sorted(proven.items()))


def load_tokenizer(config: Any) -> Any:
    """Return the tokenizer as Axolotl loads it; one that cannot be had is an ``InputError``."""
    from axolotl.loaders import load_tokenizer as load
    from axolotl.utils.config import normalize_config

    try:
        normalize_config(config)
        return load(config)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"base_model {config.base_model}: its tokenizer cannot be loaded: {reason}") from error


def _strategy(tokenizer: Any, config: Any, entry: Any) -> Any:
    from axolotl.prompt_strategies import load
    from axolotl.utils.dict import DictDefault

    return load(entry["type"], tokenizer, config, DictDefault(dict(entry)))


def samples(path: Path) -> Iterator[Row]:
    """Yield the first rows of each task."""
    taken: dict[str, int] = {}
    for number, line in numbered(path):
        row = decode(line, Row, f"{path}:{number}")
        taken[row.task] = taken.get(row.task, 0) + 1
        if taken[row.task] <= ROWS_PER_TASK:
            yield row


def encode(row: Row, strategy: Any, tokenizer: Any) -> Encoded:
    """Encode one row both ways."""
    messages = [*row.prompt, {"role": "assistant", "content": row.target}]
    trained = strategy.tokenize_prompt({"messages": messages})
    template = strategy.prompter.chat_template
    sent = _sent(tokenizer, template, row.prompt, True)
    history = _sent(tokenizer, template, row.prompt[:-1], False) if len(row.prompt) > 1 else []
    return Encoded(row.id, sent, list(trained["input_ids"]), list(trained["labels"]), len(history), row.target)


def _sent(tokenizer: Any, template: str, messages: list[dict[str, str]], generation: bool) -> list[int]:
    ids = tokenizer.apply_chat_template(
        messages, chat_template=template, add_generation_prompt=generation, tokenize=True, return_dict=False
    )
    return list(ids)


def _refuse(path: Path, encoded: Encoded, tokenizer: Any) -> None:
    for fault in faults(encoded, tokenizer):
        raise InputError(f"{path}: row {encoded.id!r}: {fault}")


def faults(encoded: Encoded, tokenizer: Any) -> Iterator[str]:
    """Yield a sentence for everything that would make training and evaluation differ."""
    prompt, ids, labels = encoded.prompt, encoded.ids, encoded.labels
    if ids[: len(prompt)] != prompt:
        at = next(
            (n for n, pair in enumerate(zip(prompt, ids, strict=False)) if pair[0] != pair[1]),
            min(len(prompt), len(ids)),
        )
        yield (
            f"training and evaluation see other prompts from token {at} on: trained {tokenizer.decode(ids[at : at + 8])!r}, "
            f"sent {tokenizer.decode(prompt[at : at + 8])!r}; the chat template does not fit"
        )
        return
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    if begin is not None and begin != end and ids.count(begin) > 1:
        yield f"found {ids.count(begin)} BOS tokens, expected one"
    if any(label != MASKED for label in labels[encoded.history : len(prompt)]):
        yield "the prompt is not masked: the model would learn to write product texts"
    stop = next((n for n in range(len(prompt), len(ids)) if ids[n] == end), None)
    if stop is None:
        yield "the answer has no end token: the model would never learn to stop"
        return
    unlearnt = [ids[n] for n in range(len(prompt), stop + 1) if labels[n] != ids[n]]
    if unlearnt:
        yield f"{tokenizer.decode(unlearnt)!r} of the answer is not supervised: training would leave it out, evaluation needs it"
    said = tokenizer.decode(ids[len(prompt) : stop])
    if said.strip() != encoded.target.strip():
        yield f"the answer reads {said[:60]!r} after tokenising, expected {encoded.target[:60]!r}"
