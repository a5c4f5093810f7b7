"""``transformers``: batches of prompts of one kind and like length on this machine's GPU, or on its CPU.

Batches are made of all prompts, longest first, so that a lack of memory shows at once; a batch has one kind of constraint. A
temperature's draws go through a batch row by row: there batches are of so many rows, and what is drawn stays the same.
Candidates come from a beam search beside the answer, ranked by the sum of their tokens' log-probabilities.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, TypeAlias

import torch
import transformers
from transformers import AutoConfig, BitsAndBytesConfig, GenerationConfig, LogitsProcessorList

from converters.core.errors import InputError
from converters.core.hidden import hidden
from converters.io.jsonl import template_sha256
from eval.answers.base import Schema, Texts
from eval.inference.backends import _batches, _offsets, base
from eval.inference.backends.base import Answer, Plan, Prompt
from eval.inference.checkpoint import Checkpoint, find

# Where transformers finds it, generation imports scikit-learn for a second, of which it takes one function for drafted answers.
with hidden("sklearn"):
    from transformers.generation import PrefixConstrainedLogitsProcessor

    from eval.inference.backends import _decoding

CACHE = 64 << 20  # bytes of grammars: a shop may have another one in each of thousands of categories, 75 kB each
Lines = list[list[list[int]]]
Trie: TypeAlias = dict[int, "Trie"]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A loaded checkpoint.

    ``ends`` are the token ids that end an answer. ``shares``: as ``_decoding.can_share`` says.
    """

    network: Any
    tokenizer: Any
    checkpoint: Checkpoint
    ends: list[int]
    device: str
    dtype: str
    shares: bool


def load(checkpoint: str, plan: Plan) -> Model:
    """Load a checkpoint: bf16 on a GPU, fp32 on a CPU, an adapter on its base."""
    located = find(checkpoint)
    tokenizer = base.load_tokenizer(located)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    transformers.utils.logging.disable_progress_bar()
    try:
        network = _network(located, device, dtype).eval()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise base.cannot_load(located, error) from error
    ends = base.end_ids(tokenizer, network.generation_config.eos_token_id)
    shares = _decoding.can_share(network.get_base_model() if located.base else network)
    return Model(network, tokenizer, located, ends, device, str(dtype).removeprefix("torch."), shares)


def _network(checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> Any:
    folder = checkpoint.base.folder if checkpoint.base else checkpoint.folder
    auto = base.auto_class(AutoConfig.from_pretrained(folder))
    if checkpoint.base is None:
        # "auto" offloads to main memory: a GPU that trained in four bits may be too small for sixteen.
        where = "auto" if device == "cuda" else None
        return auto.from_pretrained(folder, dtype=dtype, device_map=where)
    from peft import PeftModel

    nf4 = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    how = {"quantization_config": nf4} if checkpoint.base.nf4 else {}
    whole = auto.from_pretrained(folder, dtype=dtype, device_map=device, **how)
    return PeftModel.from_pretrained(whole, checkpoint.folder)


def describe(model: Model, plan: Plan) -> dict[str, Any]:
    """Return the checkpoint's hashes, where it ran, and the packages that did it."""
    backend = {"name": "transformers", "device": model.device, "dtype": model.dtype}
    packages = ("torch", "transformers", "tokenizers", *(("peft",) if model.checkpoint.base else ()))
    return {
        **model.checkpoint.identity,
        "template_sha256": template_sha256(model.tokenizer.chat_template),
        "backend": backend | {"batch_size": plan.batch_size},
        "versions": base.versions(*packages),
    }


def ranked_by(model: Model, plan: Plan) -> str:
    """Return how further candidates are found and ranked, for the record."""
    return base.BEAMS


def confidence_by(model: Model, plan: Plan) -> str:
    """Return which probabilities of its tokens it tells, for the record."""
    return base.ALLOWED


def batches(model: Model, plan: Plan, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Return all prompts, with their ids, in batches of like length."""
    ready = [replace(p, ids=base.prompt_ids(model.tokenizer, p.id, p.messages)) for p in prompts]
    if plan.temperature:
        return _batches.by_rows(ready, plan.batch_size)
    return _batches.by_tokens(ready, plan.batch_size, plan.max_new_tokens)


def answers(model: Model, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
    """Yield the answers of each batch."""
    for batch in batches:
        lines, values = _decoded(model, plan, batch)
        several = [prompt for prompt in batch if prompt.several]
        size = max(1, plan.batch_size // (plan.candidates + base.BEAMS_MORE))
        parts = [several[start : start + size] for start in range(0, len(several), size)]
        beams = [lines for part in parts for lines in _searched(model, plan, part)]
        further = dict(zip((prompt.id for prompt in several), beams, strict=True))
        found = zip(batch, lines, values, strict=True)
        yield [_answer(model, p, line, further.get(p.id, []), each) for p, line, each in found]


def _answer(model: Model, prompt: Prompt, line: list[int], further: list[list[int]], values: list[float]) -> Answer:
    texts = [base.decode(model.tokenizer, beam) for beam in further]
    if isinstance(prompt.limit, Texts):  # with fewer texts than beams, the search fills up with others
        texts = [text for text in texts if text.strip() in prompt.limit.texts]
    text = base.decode(model.tokenizer, line)
    told = _offsets.of_ids(model.tokenizer, line, text, values[: len(line)]) if values else []
    return Answer(prompt.id, text, len(line), line[-1] in model.ends, len(prompt.ids), texts, logprobs=told)


def _decoded(model: Model, plan: Plan, batch: Sequence[Prompt]) -> tuple[list[list[int]], list[list[float]]]:
    """Return for each prompt its answer's ids, and if asked for their log-probabilities."""
    shared = _batches.begun_alike(batch) if model.shares and not plan.temperature and len(batch) > 1 else 0
    how = _decoding.How(
        plan.max_new_tokens, model.ends, _pad(model), model.shares, shared, plan.temperature,
        leave=not plan.temperature and batch[0].limit is None, tell=plan.confidence,
    )  # fmt: skip
    if plan.temperature:
        torch.manual_seed(zlib.crc32(f"{plan.seed}\0{batch[0].id}".encode()))
    if model.shares:
        with _bounded(plan):
            inputs, mask = _padded(model, batch, shared)
            limits = LogitsProcessorList(_constraints(model, batch, inputs.shape[1]))
            kept = _decoding.fed(how, model.network, mask)
            ids, told = _decoding.decode(how, model.network, inputs, limits, **kept)
    else:
        ids, told = _generate(model, plan, batch, custom_generate=partial(_decoding.decode, how))
    lines = [list(base.until_end(line, model.ends)) for line in ids.tolist()]
    return lines, told.tolist() if plan.confidence else [[]] * len(batch)


def _searched(model: Model, plan: Plan, batch: Sequence[Prompt]) -> Lines:
    """Return for each prompt the ids of its likeliest answers, likeliest first."""
    beams = plan.candidates + base.BEAMS_MORE
    output = _generate(model, plan, batch, num_beams=beams, num_return_sequences=beams, length_penalty=0.0)
    width = max(len(prompt.ids) for prompt in batch)
    lines = [list(base.until_end(line, model.ends)) for line in output[:, width:].tolist()]
    return [lines[start : start + beams] for start in range(0, len(lines), beams)]


def _generate(model: Model, plan: Plan, batch: Sequence[Prompt], num_beams: int = 1, **how: Any) -> Any:
    """Return what ``generate`` does for a batch."""
    # The checkpoint's own generation settings may sample or penalise repetition: they are replaced here.
    model.network.generation_config = config = GenerationConfig(
        max_new_tokens=plan.max_new_tokens, eos_token_id=model.ends, pad_token_id=_pad(model), do_sample=False
    )
    with _bounded(plan):
        ids, mask = _padded(model, batch)
        limits = LogitsProcessorList(_constraints(model, batch, ids.shape[1], num_beams))
        how |= {"num_beams": num_beams, "logits_processor": limits}
        return model.network.generate(input_ids=ids, attention_mask=mask, generation_config=config, **how)


@contextmanager
def _bounded(plan: Plan) -> Iterator[None]:
    """Compute without gradients; a lack of memory is an ``InputError``."""
    try:
        with torch.inference_mode():
            yield
    except torch.cuda.OutOfMemoryError as error:
        smaller = f"; try --batch-size {plan.batch_size // 2}" if plan.batch_size > 1 else ""
        raise InputError(f"the GPU ran out of memory with batches of {plan.batch_size}{smaller}") from error


def _padded(model: Model, batch: Sequence[Prompt], shared: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask, rows x columns, padded on the left, but behind the ``shared`` ids that all begin with."""
    width, pad = max(len(prompt.ids) for prompt in batch), _pad(model)
    gaps = [width - len(prompt.ids) for prompt in batch]
    pairs = list(zip(batch, gaps, strict=True))
    ids = torch.tensor([[*p.ids[:shared], *[pad] * gap, *p.ids[shared:]] for p, gap in pairs], device=model.device)
    mask = torch.ones_like(ids)
    for row, gap in enumerate(gaps):
        mask[row, shared : shared + gap] = 0
    return ids, mask


def _pad(model: Model) -> int:
    pad: int | None = model.tokenizer.pad_token_id
    return model.ends[0] if pad is None else pad


def _constraints(model: Model, batch: Sequence[Prompt], width: int, beams: int = 1) -> list[Any]:
    """Return what forbids the tokens that the limits do not allow, behind prompts of ``width`` columns."""
    limits = [prompt.limit for prompt in batch]
    texts = [_trie(model, limit) for limit in limits if isinstance(limit, Texts)]
    if texts:

        def allowed(row: int, ids: Any) -> Any:
            # A finished beam goes on with end tokens, which no one reads.
            return following(texts[row], ids[width:].tolist()) or model.ends[:1]

        return [PrefixConstrainedLogitsProcessor(allowed, beams)]
    schemas = [_grammar(model, limit) for limit in limits if isinstance(limit, Schema)]
    return [_xgrammar().contrib.hf.LogitsProcessor(schemas)] if schemas else []


@lru_cache(maxsize=256)
def _trie(model: Model, limit: Texts) -> Trie:
    return build(base.answer_ids(model.tokenizer, text, model.ends) for text in limit.texts)


def build(sequences: Iterable[Sequence[int]]) -> Trie:
    """Return the tree of sequences."""
    root: Trie = {}
    for sequence in sequences:
        node = root
        for token in sequence:
            node = node.setdefault(token, {})
    return root


def following(trie: Trie, begun: Iterable[int]) -> list[int]:
    """Return the tokens that may follow those begun; none where a sequence is whole or none begins so.

    >>> trie = build([[1, 2], [1, 3]])  # {1: {2: {}, 3: {}}}
    >>> following(trie, []), following(trie, [1]), following(trie, [1, 2]), following(trie, [9])
    ([1], [2, 3], [], [])
    """
    for token in begun:
        if token not in trie:
            return []
        trie = trie[token]
    return list(trie)


def _xgrammar() -> Any:
    try:
        import xgrammar
        import xgrammar.contrib.hf
    except ImportError as error:
        raise InputError(
            "JSON answers can be constrained only with the package 'xgrammar': pip install 'ecom-llm-recipes[constrain]'"
        ) from error
    return xgrammar


@lru_cache(maxsize=1)
def _compiler(model: Model) -> Any:
    info, size = _xgrammar().TokenizerInfo, model.network.config.vocab_size
    tokens = info.from_huggingface(model.tokenizer, vocab_size=size, stop_token_ids=model.ends)
    return _xgrammar().GrammarCompiler(tokens, cache_limit_bytes=CACHE)


@lru_cache(maxsize=512)
def _grammar(model: Model, limit: Schema) -> Any:
    # Spaces as json.dumps writes them: what the model learnt.
    return _compiler(model).compile_json_schema(limit.json, any_whitespace=False, separators=(", ", ": "))
