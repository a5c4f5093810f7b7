"""``vllm``: offline on an NVIDIA GPU, thousands of prompts in one call, shared prefixes computed once.

vLLM pins a torch of its own, so it wants an environment of its own: ``pip install 'ecom-llm-recipes[vllm]'``. An interrupted call
is repeated with the same prompts and an empty prefix cache. With scheduling in one process, that gives the same answers on the
same GPU and version (docs.vllm.ai, "Reproducibility").
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import util
from typing import Any

from converters.core.errors import InputError
from converters.io.jsonl import template_sha256
from eval.answers.base import Schema, Texts
from eval.inference.backends import base
from eval.inference.backends.base import Answer, Plan, Prompt
from eval.inference.checkpoint import Checkpoint, find

CANDIDATES = "seeded samples at temperature 1, by log-probability"
SAMPLES = 2  # for each candidate: samples repeat themselves
CALL = 16_384
DTYPE = "bfloat16"


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded engine; ``ends`` are the token ids that end an answer."""

    engine: Any
    tokenizer: Any
    checkpoint: Checkpoint
    ends: list[int]


def load(checkpoint: str, plan: Plan) -> Model:
    """Load a whole model; without vLLM or a GPU, or for an adapter, an ``InputError``."""
    if util.find_spec("vllm") is None:
        raise InputError("vLLM is not installed: pip install 'ecom-llm-recipes[vllm]' into an environment of its own")
    import torch

    if not torch.cuda.is_available():
        raise InputError("the vllm backend needs an NVIDIA GPU: use --backend transformers here")
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
        settings = {"dtype": DTYPE, "seed": plan.seed, "enable_prefix_caching": True, "generation_config": "vllm"}
        engine = LLM(model=str(located.folder), **settings)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise base.cannot_load(located, error) from error
    return Model(engine, tokenizer, located, ends)


def describe(model: Model, plan: Plan) -> dict[str, Any]:
    """Return the checkpoint's hashes, what it ran on, and the packages that did it."""
    import torch

    return {
        **model.checkpoint.identity,
        "template_sha256": template_sha256(model.tokenizer.chat_template),
        "backend": {"name": "vllm", "device": torch.cuda.get_device_name(), "dtype": DTYPE, "call": CALL},
        "versions": base.versions("vllm", "torch", "transformers", "tokenizers"),
    }


def batches(model: Model, plan: Plan, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Return all prompts, with their ids, in calls; those that begin alike stand together."""
    ready = [replace(p, ids=base.prompt_ids(model.tokenizer, p.id, p.messages)) for p in prompts]
    ready.sort(key=lambda prompt: (prompt.ids, prompt.id))
    return [ready[start : start + CALL] for start in range(0, len(ready), CALL)]


def answers(model: Model, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
    """Yield the answers of each call."""
    for batch in batches:
        model.engine.reset_prefix_cache()
        outputs = _generate(model, batch, {"temperature": plan.temperature, "seed": plan.seed}, plan)
        several = [prompt for prompt in batch if prompt.several]
        sampled = {"temperature": 1.0, "seed": plan.seed, "n": SAMPLES * plan.candidates, "logprobs": 0}
        more = _generate(model, several, sampled, plan) if several else []
        further = {prompt.id: _ranked(model, output) for prompt, output in zip(several, more, strict=True)}
        yield [_answer(model, p, out, further.get(p.id, [])) for p, out in zip(batch, outputs, strict=True)]


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
    return {"structured_outputs": StructuredOutputsParams(json=prompt.limit.json, disable_any_whitespace=True)}


def _ranked(model: Model, output: Any) -> list[str]:
    likeliest = sorted(output.outputs, key=lambda sample: (-sample.cumulative_logprob, tuple(sample.token_ids)))
    return [base.decode(model.tokenizer, sample.token_ids) for sample in likeliest]


def _answer(model: Model, prompt: Prompt, output: Any, further: list[str]) -> Answer:
    (best,) = output.outputs
    text, ended = base.decode(model.tokenizer, best.token_ids), best.finish_reason == "stop"
    return Answer(prompt.id, text, len(best.token_ids), ended, len(prompt.ids), further)
