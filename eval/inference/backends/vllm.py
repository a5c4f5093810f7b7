"""``vllm``: in this process, thousands of prompts in one call, shared prefixes computed once.

vLLM pins a torch of its own, so it wants an environment of its own: ``make setup-vllm`` makes it, with vLLM's build for CPUs
where there is no NVIDIA GPU. An interrupted call is repeated with the same prompts and an empty prefix cache. With scheduling in
one process, that gives the same answers on the same hardware and version (docs.vllm.ai, "Reproducibility"). The precision is
the checkpoint's own: vLLM by itself takes bfloat16 for float32.

Its ``raw_logprobs``, the default, are those before temperature and penalties but behind a constraint, whose mask is put on the
logits before the sampler sees them (0.32.0). A constraint to texts allows them in any tokens, not only in the tokenizer's own.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, TypeAlias

from msgspec import structs

from converters.core.errors import InputError
from converters.io.jsonl import template_sha256
from eval.answers.base import Schema, Texts
from eval.inference.backends import _offsets, base
from eval.inference.backends.base import Answer, Plan, Prompt
from eval.inference.checkpoint import Checkpoint, dtype, find

CALL = 16_384

Several: TypeAlias = Sequence[tuple[Prompt, Answer]]


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded engine; ``ends`` are the token ids that end an answer, ``context`` the tokens of a prompt with its answer."""

    engine: Any
    tokenizer: Any
    checkpoint: Checkpoint
    ends: list[int]
    context: int


def load(checkpoint: str, plan: Plan) -> Model:
    """Load a whole model; without vLLM or what its build runs on, or for an adapter, an ``InputError``."""
    _require()
    located = find(checkpoint)
    if located.base:
        raise InputError(
            f"{checkpoint}: is an adapter, and vLLM needs a merged checkpoint; merge it first: ecom-train merge"
        )
    tokenizer = base.load_tokenizer(located)
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    from transformers import GenerationConfig
    from vllm import LLM

    try:
        configured = GenerationConfig.from_pretrained(located.folder).eos_token_id
    except OSError:  # a checkpoint need not have one
        configured = None
    ends = base.end_ids(tokenizer, configured)
    try:
        # "vllm": the checkpoint's own generation settings may sample or penalise repetition.
        settings = {"seed": plan.seed, "enable_prefix_caching": True, "generation_config": "vllm"}
        engine = LLM(model=str(located.folder), dtype=dtype(located.folder) or "auto", **settings)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise base.cannot_load(located, error) from error
    return Model(engine, tokenizer, located, ends, int(engine.model_config.max_model_len))


def _require() -> None:
    try:
        version = metadata.version("vllm")
    except metadata.PackageNotFoundError as error:
        raise InputError(
            "vLLM is not installed here: 'make setup-vllm' makes .venv-vllm with it; run .venv-vllm/bin/ecom-eval, or elsewhere "
            "pip install 'ecom-llm-recipes[vllm]' into an environment of its own"
        ) from error
    import torch

    if not torch.cuda.is_available() and "cpu" not in version:
        raise InputError(
            f"vLLM {version} needs an NVIDIA GPU: use --backend transformers here, or vLLM's build for CPUs (make setup-vllm)"
        )


def describe(model: Model, plan: Plan) -> dict[str, Any]:
    """Return the checkpoint's hashes, what it ran on, and the packages that did it."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    precision = str(model.engine.model_config.dtype).removeprefix("torch.")
    backend = {"name": "vllm", "device": device, "dtype": precision, "call": CALL, "context": model.context}
    return {
        **model.checkpoint.identity,
        "template_sha256": template_sha256(model.tokenizer.chat_template),
        "backend": backend,
        "versions": base.versions("vllm", "torch", "transformers", "tokenizers"),
    }


def ranked_by(model: Model, plan: Plan) -> str:
    """Return how further candidates are found and ranked, for the record."""
    return f"{base.CHOICES}; {base.BEAMS}" if plan.constrain else base.BEAMS


def confidence_by(model: Model, plan: Plan) -> str:
    """Return which probabilities of its tokens it tells, for the record."""
    return base.ALLOWED


def batches(model: Model, plan: Plan, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Return all prompts, with their ids, in calls; those that begin alike stand together."""
    ready = [replace(p, ids=base.prompt_ids(model.tokenizer, p.id, p.messages)) for p in prompts]
    for prompt in ready:
        if len(prompt.ids) >= model.context:
            raise InputError(
                f"row {base.row_of(prompt.id)!r}: its prompt has {len(prompt.ids):,} tokens, and the model reads "
                f"{model.context:,}, its answer included"
            )
    ready.sort(key=lambda prompt: (prompt.ids, prompt.id))
    return [ready[start : start + CALL] for start in range(0, len(ready), CALL)]


def answers(model: Model, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
    """Yield the answers of each call."""
    for batch in batches:
        model.engine.reset_prefix_cache()
        settings = {"temperature": plan.temperature, "seed": plan.seed} | ({"logprobs": 0} if plan.confidence else {})
        outputs = _generate(model, batch, settings, plan)
        found = [_answer(model, plan, prompt, output) for prompt, output in zip(batch, outputs, strict=True)]
        several = [pair for pair in zip(batch, found, strict=True) if pair[0].several]
        further = _choices(model, plan, [pair for pair in several if isinstance(pair[0].limit, Texts)])
        further |= _beams(model, plan, [pair for pair in several if not isinstance(pair[0].limit, Texts)])
        yield [structs.replace(answer, candidates=further.get(answer.id, [])) for answer in found]


def _generate(model: Model, batch: Sequence[Prompt], settings: dict[str, Any], plan: Plan) -> list[Any]:
    from vllm import SamplingParams

    settings = settings | {"max_tokens": plan.max_new_tokens, "stop_token_ids": model.ends, "detokenize": False}
    params = [SamplingParams(**settings, **_constraint(prompt)) for prompt in batch]
    return list(model.engine.generate([{"prompt_token_ids": list(p.ids)} for p in batch], params, use_tqdm=False))


def _constraint(prompt: Prompt) -> dict[str, Any]:
    if prompt.limit is None:
        return {}
    from vllm.sampling_params import StructuredOutputsParams

    if isinstance(prompt.limit, Texts):
        return {"structured_outputs": StructuredOutputsParams(choice=list(prompt.limit.texts))}
    assert isinstance(prompt.limit, Schema)
    # A request's disable_any_whitespace is not heeded (0.32.0), and the engine's would forbid the spaces that the model learnt.
    return {"structured_outputs": StructuredOutputsParams(json=prompt.limit.json)}


def _answer(model: Model, plan: Plan, prompt: Prompt, output: Any) -> Answer:
    (best,) = output.outputs
    text, tokens, ended = (
        base.decode(model.tokenizer, best.token_ids),
        len(best.token_ids),
        best.finish_reason == "stop",
    )
    clipped = not ended and tokens < plan.max_new_tokens
    steps = zip(best.logprobs, best.token_ids, strict=True) if plan.confidence else ()
    values = [step[id_].logprob for step, id_ in steps]
    told = _offsets.of_ids(model.tokenizer, best.token_ids, text, values) if values else []
    return Answer(prompt.id, text, tokens, ended, len(prompt.ids), clipped=clipped, logprobs=told)


def _choices(model: Model, plan: Plan, several: Several) -> dict[str, list[str]]:
    """Return further answers by prompt id: one after another, the likeliest of the texts that were not given before."""
    found = {prompt.id: [(0.0, str(answer.prediction))] for prompt, answer in several}
    for _ in range(plan.candidates - 1):
        batch = [
            replace(prompt, limit=Texts(tuple(left)))
            for prompt, _ in several
            if (left := base.left_over(prompt.limit, [text for _, text in found[prompt.id]], plan.candidates))
        ]
        outputs = _generate(model, batch, {"temperature": 0.0, "logprobs": 0}, plan) if batch else []
        for prompt, output in zip(batch, outputs, strict=True):
            (best,) = output.outputs
            found[prompt.id].append((best.cumulative_logprob, base.decode(model.tokenizer, best.token_ids)))
    return {id_: [text for _, text in sorted(given[1:], key=lambda pair: -pair[0])] for id_, given in found.items()}


def _beams(model: Model, plan: Plan, several: Several) -> dict[str, list[str]]:
    """Return further answers by prompt id: those of a beam search, the ones that were cut last."""
    if not several:
        return {}
    from vllm.sampling_params import BeamSearchParams

    longest = max(base.longest_beam(plan, answer.tokens) for _, answer in several)
    room = model.context - max(len(prompt.ids) for prompt, _ in several)
    width = plan.candidates + base.BEAMS_MORE
    params = BeamSearchParams(beam_width=width, max_tokens=min(longest, room), length_penalty=0.0)
    outputs = model.engine.beam_search([{"prompt_token_ids": list(p.ids)} for p, _ in several], params)
    found = {}
    for (prompt, _), output in zip(several, outputs, strict=True):
        lines = [beam.tokens[len(prompt.ids) :] for beam in output.sequences]
        lines.sort(key=lambda line: line[-1] not in model.ends)
        found[prompt.id] = [base.decode(model.tokenizer, base.until_end(line, model.ends)) for line in lines]
    return found
