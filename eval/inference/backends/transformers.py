"""``transformers``: batches of prompts of like length on this machine's GPU, or on its CPU.

Batches are made of all prompts, longest first, so that a lack of memory shows at once; a batch has one kind of constraint.
Candidates come from a beam search beside the greedy answer, ranked by the sum of their tokens' log-probabilities. An answer's
own are taken behind a constraint and before the temperature, one a step: ``output_scores`` would keep whole vocabularies.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

import torch
import transformers
from transformers import AutoConfig, BitsAndBytesConfig, GenerationConfig

from converters.core.errors import InputError
from converters.io.jsonl import template_sha256
from eval.answers.base import Schema, Texts
from eval.inference.backends import _offsets, base
from eval.inference.backends.base import Answer, Plan, Prompt
from eval.inference.checkpoint import Checkpoint, find

CACHE = 64 << 20  # bytes of grammars: a shop may have another one in each of thousands of categories, 75 kB each
Lines = list[list[list[int]]]
Trie: TypeAlias = dict[int, "Trie"]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A loaded checkpoint; ``ends`` are the token ids that end an answer."""

    network: Any
    tokenizer: Any
    checkpoint: Checkpoint
    ends: list[int]
    device: str
    dtype: str


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """A logits processor that changes no scores; transformers puts it behind constraints and before the temperature.

    ``steps`` has the log-probabilities of the tokens taken in each step, one for each row, then the last step's scores: which
    tokens are taken by them shows only in the next call. It is an object since transformers reads a processor's signature at each
    step: a function's takes it 1.5 ms, a third of a small model's step.
    """

    steps: list[Any] = field(default_factory=list)

    def __call__(self, ids: Any, scores: Any) -> Any:
        """Keep the scores as they are, and return them."""
        self.settle(ids)
        self.steps.append(scores)
        return scores

    def settle(self, ids: Any) -> None:
        """Put the log-probabilities of the tokens taken, the last of ``ids``, in place of the last step's scores."""
        if self.steps:
            scores = self.steps.pop()
            self.steps.append(scores.log_softmax(1).gather(1, ids[:, -1:]).squeeze(1))


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
    return Model(network, tokenizer, located, ends, device, str(dtype).removeprefix("torch."))


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
    return grouped(ready, plan.batch_size)


def grouped(prompts: Sequence[Prompt], size: int) -> list[list[Prompt]]:
    """Return prompts in batches of one kind of limit, longest first.

    >>> prompts = [Prompt("a", [], ids=(1,)), Prompt("b", [], ids=(1, 2)), Prompt("c", [], ids=(3, 4))]
    >>> prompts.append(Prompt("d", [], Texts(("x",))))
    >>> [[prompt.id for prompt in batch] for batch in grouped(prompts, 2)]
    [['b', 'c'], ['a'], ['d']]
    """
    batches = []
    for kind in (type(None), Texts, Schema):
        alike = sorted((p for p in prompts if type(p.limit) is kind), key=lambda p: (-len(p.ids), p.id))
        batches += [alike[start : start + size] for start in range(0, len(alike), size)]
    return batches


def answers(model: Model, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
    """Yield the answers of each batch."""
    for batch in batches:
        watch = Watch() if plan.confidence else None
        greedy = [lines[0] for lines in _generate(model, plan, batch, 0, watch)]
        values = torch.stack(watch.steps, 1).tolist() if watch else [[]] * len(batch)
        several = [prompt for prompt in batch if prompt.several]
        size = max(1, plan.batch_size // (plan.candidates + base.BEAMS_MORE))
        parts = [several[start : start + size] for start in range(0, len(several), size)]
        beams = [lines for part in parts for lines in _generate(model, plan, part, plan.candidates + base.BEAMS_MORE)]
        further = dict(zip((prompt.id for prompt in several), beams, strict=True))
        found = zip(batch, greedy, values, strict=True)
        yield [_answer(model, p, line, further.get(p.id, []), each) for p, line, each in found]


def _answer(model: Model, prompt: Prompt, line: list[int], further: list[list[int]], values: list[float]) -> Answer:
    texts = [base.decode(model.tokenizer, beam) for beam in further]
    if isinstance(prompt.limit, Texts):  # with fewer texts than beams, the search fills up with others
        texts = [text for text in texts if text.strip() in prompt.limit.texts]
    text = base.decode(model.tokenizer, line)
    told = _offsets.of_ids(model.tokenizer, line, text, values[: len(line)]) if values else []
    return Answer(prompt.id, text, len(line), line[-1] in model.ends, len(prompt.ids), texts, logprobs=told)


def _generate(model: Model, plan: Plan, batch: Sequence[Prompt], beams: int, watch: Watch | None = None) -> Lines:
    """Return for each prompt its answer's ids, or those of ``beams`` answers, likeliest first; ``watch`` sees each step."""
    pad = model.tokenizer.pad_token_id if model.tokenizer.pad_token_id is not None else model.ends[0]
    width = max(len(prompt.ids) for prompt in batch)
    ids = torch.tensor([[pad] * (width - len(p.ids)) + list(p.ids) for p in batch], device=model.device)
    mask = torch.tensor([[0] * (width - len(p.ids)) + [1] * len(p.ids) for p in batch], device=model.device)
    # The checkpoint's own generation settings may sample or penalise repetition: they are replaced here.
    model.network.generation_config = config = _config(model, plan, pad, beams)
    torch.manual_seed(zlib.crc32(f"{plan.seed}\0{batch[0].id}".encode()))
    try:
        with torch.inference_mode():
            limits = _constraints(model, batch, width)
            if watch:
                limits["logits_processor"] = [*limits.get("logits_processor", ()), watch]
            output = model.network.generate(input_ids=ids, attention_mask=mask, generation_config=config, **limits)
            if watch:
                watch.settle(output)
    except torch.cuda.OutOfMemoryError as error:
        smaller = f"; try --batch-size {plan.batch_size // 2}" if plan.batch_size > 1 else ""
        raise InputError(f"the GPU ran out of memory with batches of {plan.batch_size}{smaller}") from error
    lines = [list(base.until_end(line, model.ends)) for line in output[:, width:].tolist()]
    each = max(1, beams)
    return [lines[start : start + each] for start in range(0, len(lines), each)]


def _config(model: Model, plan: Plan, pad: int, beams: int) -> GenerationConfig:
    how: dict[str, Any] = {"do_sample": False}
    if beams:
        how |= {"num_beams": beams, "num_return_sequences": beams, "length_penalty": 0.0}
    elif plan.temperature:
        how = {"do_sample": True, "temperature": plan.temperature, "top_k": 0, "top_p": 1.0}
    return GenerationConfig(max_new_tokens=plan.max_new_tokens, eos_token_id=model.ends, pad_token_id=pad, **how)


def _constraints(model: Model, batch: Sequence[Prompt], width: int) -> dict[str, Any]:
    limits = [prompt.limit for prompt in batch]
    texts = [_trie(model, limit) for limit in limits if isinstance(limit, Texts)]
    if texts:

        def allowed(row: int, ids: Any) -> Any:
            # A finished beam goes on with end tokens, which no one reads.
            return following(texts[row], ids[width:].tolist()) or model.ends[:1]

        return {"prefix_allowed_tokens_fn": allowed}
    schemas = [_grammar(model, limit) for limit in limits if isinstance(limit, Schema)]
    return {"logits_processor": [_xgrammar().contrib.hf.LogitsProcessor(schemas)]} if schemas else {}


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
