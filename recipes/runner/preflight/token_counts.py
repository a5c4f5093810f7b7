"""Count what training will see: rows, tokens and learnt tokens of each task, rows that would be dropped, padding.

Lengths come from the recipe's own tokenizer and template, padding and the steps of an epoch from Axolotl's own sampler.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.core.errors import InputError
from recipes.runner.preflight.data import DataFile, Exchange, exchanges

Lengths = NDArray[np.int32]
BATCH = 512
TEMPLATE = 96  # more tokens than any family's template adds to a row


@dataclass(frozen=True, slots=True)
class Count:
    """One task: its rows, their tokens, those of them that are learnt, and the rows that are over the length."""

    rows: int
    tokens: int
    learnt: int
    longer: int


@dataclass(frozen=True, slots=True)
class Packed:
    """What becomes of the rows that fit: the share of tokens that are no padding, steps of an epoch, of the whole training."""

    share: float
    steps_per_epoch: int
    steps: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Every row's task, its tokens and the learnt ones among them, in the order of the files."""

    tasks: list[str]
    tokens: Lengths
    learnt: Lengths


def measure(files: Sequence[DataFile], tokenizer: Any) -> Measured:
    """Return the lengths of all rows of the files."""
    tasks: list[str] = []
    sizes: list[tuple[int, int]] = []
    boundaries = _boundaries(tokenizer)
    _flatten_globals(tokenizer)
    for file in files:
        remaining = (row for _, _, row in exchanges(file))
        while rows := list(islice(remaining, BATCH)):
            tasks += [row.task for row in rows]
            sizes += _sizes(rows, tokenizer, boundaries)
    table = np.array(sizes, np.int32).reshape(-1, 2)
    return Measured(tasks, table[:, 0], table[:, 1])


def _sizes(rows: Sequence[Exchange], tokenizer: Any, boundaries: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield the tokens of each row and how many of them follow a prompt, up to the end of its answer."""
    prompts: list[list[dict[str, str]]] = []
    answered: list[list[dict[str, str]]] = []
    spans: list[int] = []
    for row in rows:
        turns = [{"role": turn.role, "content": turn.content} for turn in row.messages]
        ends = [end for end, turn in enumerate(row.messages, 1) if turn.role == "assistant"]
        prompts += (turns[: end - 1] for end in ends)
        answered += (turns[:end] for end in ends)
        spans.append(len(ends))
    before, after = _texts(tokenizer, prompts, True), _texts(tokenizer, answered, False)
    lengths = _lengths(before, tokenizer)
    ends_at = [_boundary(prompt, text, boundaries) for prompt, text in zip(before, after, strict=True)]
    rests = [
        f"{end}{text[len(prompt) :]}" if end else text for prompt, text, end in zip(before, after, ends_at, strict=True)
    ]
    whole = zip(lengths, _lengths(rests, tokenizer), ends_at, strict=True)
    pairs = iter([(prompt, prompt + rest - 1 if end else rest) for prompt, rest, end in whole])
    for answers in spans:
        of_row = list(islice(pairs, answers))
        yield of_row[-1][1], sum(text - prompt for prompt, text in of_row)


def _boundaries(tokenizer: Any) -> tuple[str, ...]:
    """Return the added tokens at which a text falls into parts that are encoded each for itself.

    A fast tokenizer cuts a text at its added tokens first, and encodes what lies between them (docs of tokenizers, "The
    tokenization pipeline"). One that takes white space with it, is matched only as a word or in normalised text, or is part of a
    longer one is none of them.
    """
    if not tokenizer.is_fast:
        return ()
    tokens = tokenizer.added_tokens_decoder.values()
    contents = [token.content for token in tokens]
    plain = (token for token in tokens if not (token.lstrip or token.rstrip or token.single_word or token.normalized))
    return tuple(token.content for token in plain if sum(token.content in other for other in contents) == 1)


def _boundary(prompt: str, text: str, boundaries: tuple[str, ...]) -> str:
    """Return the boundary at which a prompt ends and the rest of a text begins; an empty text for none."""
    if not (text.startswith(prompt) and prompt.endswith(boundaries or ("\0",))):
        return ""
    return max((token for token in boundaries if prompt.endswith(token)), key=len)


def _lengths(texts: list[str], tokenizer: Any) -> Iterator[int]:
    if not tokenizer.is_fast:
        return map(len, tokenizer(texts, add_special_tokens=False)["input_ids"])
    tokenizer("", add_special_tokens=False)  # switches off any truncation that was saved with it
    once = list(dict.fromkeys(texts))  # many answers are the same
    encoded = tokenizer.backend_tokenizer.encode_batch_fast(once, add_special_tokens=False)  # no lists of ids
    return map(dict(zip(once, map(len, encoded), strict=True)).__getitem__, texts)


def _flatten_globals(tokenizer: Any) -> None:
    """Make one dictionary of what a template's texts may all name: jinja copies it for each text, key by key if it is several."""
    from transformers.utils import chat_template_utils

    if compiled := getattr(chat_template_utils, "_compile_jinja_template", None):  # as apply_chat_template calls it
        template = compiled(tokenizer.get_chat_template())
        template.globals = dict(template.globals)


def _texts(tokenizer: Any, conversations: Sequence[Sequence[dict[str, str]]], generation: bool) -> list[str]:
    return list(tokenizer.apply_chat_template(conversations, add_generation_prompt=generation, tokenize=False))


def first(measured: Measured, files: Sequence[DataFile]) -> Measured:
    """Return what was measured of the rows of the first files alone."""
    size = sum(1 for file in files for _ in file.lines())
    return Measured(measured.tasks[:size], measured.tokens[:size], measured.learnt[:size])


def counts(measured: Measured, limit: int) -> dict[str, Count]:
    """Return the ledger: a count for each task, in the order of their names."""
    ledger = {}
    for task in sorted(set(measured.tasks)):
        mask = np.array(measured.tasks) == task
        tokens, learnt = measured.tokens[mask], measured.learnt[mask]
        ledger[task] = Count(len(tokens), int(tokens.sum()), int(learnt.sum()), int((tokens > limit).sum()))
    return ledger


def refuse(ledger: dict[str, Count], limit: int, share: float) -> None:
    """Raise an ``InputError`` for a task of which more than ``share`` of the rows, or all, are over the length."""
    for task, count in ledger.items():
        if count.longer > share * count.rows or count.longer == count.rows:
            raise InputError(
                f"sequence_len {limit}: {count.longer:,} of {count.rows:,} rows of task {task!r} are longer, and Axolotl drops "
                f"them whole, prompt and answer; expected {share:.0%} at most: raise sequence_len, cut the context where the mix "
                f"is built (trim: {{tokens: {max(limit - TEMPLATE, limit // 2)}}} in its entry), or allow it: "
                f"--max-dropped {-(-100 * count.longer // count.rows) / 100}"  # rounded up
            )


def pack(lengths: Lengths, config: Mapping[str, Any], gpus: int = 1) -> Packed:
    """Return how Axolotl packs rows of these lengths, the longer ones dropped; ``config`` is its validated configuration."""
    fit = lengths[lengths <= config["sequence_len"]]
    micro = config["micro_batch_size"]
    if config.get("sample_packing"):
        share, batches = _packed(fit, config, micro)
    else:
        padded = len(fit) * config["sequence_len"] if config.get("pad_to_sequence_len") else 0
        share, batches = float(fit.sum() / padded) if padded else 1.0, ceil(len(fit) / micro)
    whole = max(1, ceil(ceil(batches / gpus) / (config.get("gradient_accumulation_steps") or 1)))
    steps = config.get("max_steps") or ceil(whole * float(config.get("num_epochs") or 1))
    return Packed(share, whole, int(steps), int(fit.sum()))


def _packed(fit: Lengths, config: Mapping[str, Any], micro: int) -> tuple[float, int]:
    """Return the share that is no padding, and the micro-batches of an epoch."""
    from axolotl.utils.samplers import MultipackBatchSampler

    # Attention that knows where rows begin takes one long row for a micro-batch; any other takes a row for each sequence.
    one_row = bool(config.get("attn_supports_packing") and not config.get("multipack_real_batches"))
    sampler = MultipackBatchSampler(
        sampler=np.random.default_rng(0).permutation(len(fit)).tolist(),
        batch_size=1 if one_row else micro,
        batch_max_len=config["sequence_len"] * (micro if one_row else 1),
        lengths=fit,
        bin_size=config["sample_packing_bin_size"],
        group_size=config["sample_packing_group_size"],
        sequential=bool(config.get("sample_packing_sequentially")),
        drop_last=True,
        num_count_samples=1,
        num_processes=1,
        mp_start_method=config.get("sample_packing_mp_start_method") or "fork",
    )
    return sampler.efficiency(), len(sampler)
