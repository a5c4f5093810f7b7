"""Prove that evaluation sends the token ids that training saw, and that the model learns the whole answer.

For sample rows of every task, the ids of Axolotl's own chat-template strategy are compared with those that evaluation sends
(``apply_chat_template`` on all messages but the last): the same prompt, masked; answer and end token supervised. Both encode what
the template renders and add no BOS to it: one where the template writes one, and one a turn where ChatML begins turns with it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, first_line
from converters.io.jsonl import decode
from converters.schema import Row
from recipes.plugins import completion_only
from recipes.runner.preflight.data import DataFile, exchanges
from recipes.runner.preflight.kept.trainer import import_loaders, import_strategies

MASKED = -100
CLOCK = "strftime_now"
MISTRALS = "MistralCommonBackend"  # a class; importing it takes mistral_common with it
ROWS_PER_TASK = 8
BEGINNINGS_PER_TASK = 200


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as training and as evaluation see it."""

    id: str
    prompt: list[int]  # what evaluation sends
    ids: list[int]  # what Axolotl trains on
    labels: list[int]  # MASKED where nothing is learnt
    history: int  # ids of the earlier turns, whose answers may be learnt, too
    target: str
    begins: int  # BOS tokens that the template itself writes


def prove(config: Any, tokenizer: Any, files: Sequence[DataFile]) -> dict[str, int]:
    """Return how many rows of each task were proven; the first row that fails is an ``InputError``.

    ``config`` is Axolotl's validated configuration; ``files`` are those of its datasets and test datasets, in that order.
    """
    if CLOCK in str(tokenizer.chat_template):
        raise InputError(
            f"base_model {config.base_model}: found {CLOCK} in its chat template: it writes today's date into every prompt, and "
            "evaluation would send others than training saw; expected a template without one, such as chat_template: llama3"
        )
    proven: Counter[str] = Counter()
    for entry, file in zip([*config.datasets, *(config.test_datasets or [])], files, strict=True):
        strategy = _strategy(tokenizer, config, entry)
        for row in samples(file):
            for fault in faults(encode(row, strategy, tokenizer, file.path), tokenizer):
                raise InputError(f"{file.path}: row {row.id!r}: {fault}{_advice(row)}")
            proven[row.task] += 1
    if not proven:
        raise InputError(f"{', '.join(str(file.path) for file in files)}: no rows to train on")
    return dict(sorted(proven.items()))


def load_tokenizer(config: Any) -> Any:
    """Return the tokenizer as Axolotl loads it; one that cannot be had, or that heeds no template, is an ``InputError``."""
    import_loaders()
    from axolotl.loaders import load_tokenizer as load
    from axolotl.utils.config import normalize_config

    with _told(f"base_model {config.base_model}: its tokenizer cannot be loaded"):
        normalize_config(config)
        tokenizer = load(config)
    if MISTRALS in (kind.__name__ for kind in type(tokenizer).__mro__):
        without = " and leave tokenizer_use_mistral_common out" if config.tokenizer_use_mistral_common else ""
        raise InputError(
            f"base_model {config.base_model}: found Mistral's own tokenizer, which heeds no chat template, so that evaluation "
            f"could not ask as training did; set tokenizer_type: TokenizersBackend{without}"
        )
    return tokenizer


@contextmanager
def _told(said: str, advice: str = "") -> Iterator[None]:
    """Turn what a tokenizer, its template or Axolotl raises meanwhile into one ``InputError``.

    It may be anything: ``mistral_common`` has a family of its own, and JSON of another shape gives a KeyError or a TypeError.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        name = "KeyError: " if isinstance(error, KeyError) else ""  # its text is a bare key
        raise InputError(f"{said}: {name}{first_line(error)}{advice}") from error


def _strategy(tokenizer: Any, config: Any, entry: Any) -> Any:
    import_strategies()
    from axolotl.prompt_strategies import load
    from axolotl.utils.dict import DictDefault

    kind, strategy = entry.get("type"), None
    if isinstance(kind, str):
        with _told(f"dataset type {kind!r}: it cannot be set up"):
            strategy = load(kind, tokenizer, config, DictDefault(dict(entry)))
    if not hasattr(getattr(strategy, "prompter", None), "chat_template"):
        raise InputError(
            f"dataset type {kind!r}: found no chat template in it, expected 'chat_template' or {completion_only.__name__!r}"
        )
    return strategy


def samples(file: DataFile) -> Iterator[Row]:
    """Yield the first rows of each task, with a system turn and without, and one for every other first character of an answer.

    What a tokenizer makes of the place where prompt and answer meet depends on that character.
    """
    taken: Counter[tuple[str, str]] = Counter()
    beginnings: set[tuple[str, str, str]] = set()
    for number, line, row in exchanges(file):
        kind = (row.task, row.messages[0].role if row.messages else "")
        begin = (*kind, row.messages[-1].content[:1])
        if taken[kind] < ROWS_PER_TASK or (begin not in beginnings and taken[kind] < BEGINNINGS_PER_TASK):
            taken[kind] += 1
            beginnings.add(begin)
            yield decode(line, Row, f"{file.path}:{number}")


def _advice(row: Row) -> str:
    """Return the mend where a template has no place of its own for a system turn: Mistral's drops it once an answer follows."""
    if row.messages[0].role != "system":
        return ""
    return "; the row has a system turn: if that is it, give source general the option system: user, and build the mix again"


def encode(row: Row, strategy: Any, tokenizer: Any, path: Path) -> Encoded:
    """Encode one row both ways; messages that the template refuses are an ``InputError``."""
    messages = [*row.prompt, {"role": "assistant", "content": row.target}]
    with _told(f"{path}: row {row.id!r}: its messages cannot be encoded", _advice(row)):
        trained = strategy.tokenize_prompt({"messages": messages})
        sent = _sent(tokenizer, row.prompt, True)
        answered = max((n for n, turn in enumerate(row.prompt, 1) if turn["role"] == "assistant"), default=0)
        history = len(_sent(tokenizer, row.prompt[:answered], False)) if answered else 0
        silent = _sent(tokenizer, [{"role": turn["role"], "content": "-"} for turn in messages], False)
    begins = silent.count(tokenizer.bos_token_id)
    return Encoded(row.id, sent, list(trained["input_ids"]), list(trained["labels"]), history, row.target, begins)


def _sent(tokenizer: Any, messages: list[dict[str, str]], generation: bool) -> list[int]:
    """Return the ids as evaluation makes them: by the template that is saved with the tokenizer, whatever training uses."""
    options = {"add_generation_prompt": generation, "tokenize": True, "return_dict": False}
    return list(tokenizer.apply_chat_template(messages, **options))


def faults(encoded: Encoded, tokenizer: Any) -> Iterator[str]:
    """Yield a sentence for everything that would make training and evaluation differ."""
    prompt, ids, labels = encoded.prompt, encoded.ids, encoded.labels
    if ids[: len(prompt)] != prompt:
        equal = [sent == trained for sent, trained in zip(prompt, ids, strict=False)]
        at = [*equal, False].index(False)
        yield (
            f"training and evaluation see other prompts from token {at} on: trained {tokenizer.decode(ids[at : at + 8])!r}, "
            f"sent {tokenizer.decode(prompt[at : at + 8])!r}; the chat template does not fit"
        )
        return
    yield from _beginnings(encoded, tokenizer)
    end = tokenizer.eos_token_id
    if any(label != MASKED for label in labels[encoded.history : len(prompt)]):
        yield "the prompt is not masked: the model would learn to write product texts"
    stop = next((n for n in range(len(prompt), len(ids)) if ids[n] == end), None)
    if stop is None:
        yield "the answer has no end token: the model would never learn to stop"
        return
    unlearnt = [ids[n] for n in range(len(prompt), stop + 1) if labels[n] != ids[n]]
    if unlearnt:
        yield (
            f"{tokenizer.decode(unlearnt)!r} of the answer is not supervised: training would leave it out, evaluation needs it; "
            f"type: {completion_only.__name__} learns all of it"
        )
    answer = tokenizer.decode(ids[len(prompt) : stop])
    if answer.strip() != encoded.target.strip():
        yield f"the answer reads {answer[:60]!r} after tokenising, expected {encoded.target[:60]!r}"


def _beginnings(encoded: Encoded, tokenizer: Any) -> Iterator[str]:
    """Yield a sentence for a BOS that is doubled, missing, or spelt by a text; a model without BOS needs none."""
    begin, ids = tokenizer.bos_token_id, encoded.ids
    if begin is None:
        return
    first = next((place for place, id_ in enumerate(ids) if id_ != begin), len(ids))
    expected = max(1, encoded.begins)
    if first > 1:
        yield f"found {first} BOS tokens, expected one"
    elif (
        begin != tokenizer.eos_token_id and ids.count(begin) != expected
    ):  # one that ends a turn, too, is as often as turns
        yield f"found {ids.count(begin)} BOS tokens, expected {expected if encoded.begins > 1 else 'one'}"
