"""Shared by all backends: plan, prompt, answer, the class of a network, and the tokenizer with its chat template."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

import msgspec

from converters.core.errors import InputError, first_line
from converters.core.hidden import hidden
from converters.io.jsonl import template_sha256
from eval.answers.base import Limit, Texts
from eval.inference.checkpoint import Checkpoint, check_template

BEAMS = "beam search, by log-probability"
BEAMS_MORE = 1  # beams beyond the candidates asked for: the greedy answer is often one of them
KERNELS = ("fla", "causal_conv1d")  # packages of Triton and CUDA
ALLOWED = "probabilities of the tokens at temperature 1, among those that a constraint allows"
CHOICES = "of a list of texts, one after another, each without those before, by log-probability"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and how: ``concurrency`` requests at a time, ``timeout`` seconds for each try, ``retries`` tries more."""

    base_url: str
    model: str
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What the answers depend on beside the checkpoint: the test file's hash and how answers are generated.

    ``temperature`` 0 is greedy; ``candidates`` is the number of ranked answers. ``constrain`` and ``few_shot`` are for the
    record: the prompts carry what they do. ``extra`` goes into every request to an ``endpoint``; ``choice_as`` is the key by
    which that takes a list of allowed texts. ``accept_unanswered``: a prompt that it fails on gets ``null``, ``None`` where the
    command leaves no choice. ``confidence``: the answers bring their tokens' log-probabilities.
    """

    test_sha256: str
    max_new_tokens: int = 128
    temperature: float = 0.0
    seed: int = 0
    candidates: int = 0
    constrain: Mapping[str, Any] | None = None
    few_shot: Mapping[str, Any] | None = None
    batch_size: int = 16
    endpoint: Endpoint | None = None
    choice_as: str = "structured_outputs"
    extra: Mapping[str, Any] | None = None
    accept_unanswered: bool | None = None
    confidence: bool = False

    @property
    def decoding(self) -> dict[str, Any]:
        """Return the settings in which two comparable runs agree; candidates and confidence change no prediction."""
        sampled = {"temperature": self.temperature, "seed": self.seed} if self.temperature else {}
        options = {"constrain": self.constrain, "few_shot": self.few_shot, "extra": self.extra}
        chosen = {name: value for name, value in options.items() if value}
        greedy = {"do_sample": bool(sampled), "num_beams": 1, "max_new_tokens": self.max_new_tokens}
        return greedy | sampled | chosen


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: messages, the constraint on its answer, whether candidates are wanted, and token ids once known.

    Prompts of one ``kind`` begin alike, and their answers are alike in length.
    """

    id: str
    messages: Sequence[Mapping[str, str]]
    limit: Limit = None
    several: bool = False
    kind: str = ""
    ids: tuple[int, ...] = ()


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answered prompt; ``tokens`` counts what was generated, the end token included if it ``ended``.

    ``prediction`` is ``None`` where an endpoint failed and that was accepted. ``candidates``: further answers, likeliest first.
    ``latency`` is in seconds, where a prompt is answered alone; ``seconds`` is its share of the time that all took. ``clipped``:
    the context that the model is served with left no room for ``max_new_tokens``, and the answer was cut there. ``logprobs``: for
    each token the character of ``prediction`` at which it ends and its log-probability; empty if not asked for, or not told.
    """

    id: str
    prediction: str | None
    tokens: int
    ended: bool
    prompt_tokens: int = 0
    candidates: list[str] = []
    latency: float | None = None
    seconds: float = 0.0
    clipped: bool = False
    logprobs: list[tuple[int, float]] = []


class Backend(Protocol):
    """What generates answers: a module of this package, or what stands for one on other machines."""

    def load(self, checkpoint: str, plan: Plan) -> Any:
        """Return the model; an ``InputError`` if it cannot be loaded."""

    def describe(self, model: Any, plan: Plan) -> dict[str, Any]:
        """Return what the answers depend on beside the plan, for the record and to know a partial file by."""

    def ranked_by(self, model: Any, plan: Plan) -> str:
        """Return how it finds and ranks further candidates, for the record."""

    def confidence_by(self, model: Any, plan: Plan) -> str:
        """Return which probabilities of its tokens it tells, for the record."""

    def batches(self, model: Any, plan: Plan, prompts: Sequence[Prompt]) -> list[list[Prompt]]:
        """Return all prompts in batches, the same whatever is answered already; a batch counts only whole."""

    def answers(self, model: Any, plan: Plan, batches: Sequence[Sequence[Prompt]]) -> Iterator[list[Answer]]:
        """Yield the answers of some batches, each batch's in one piece, in any order."""


def row_of(id_: str) -> str:
    """Return the id of the row that a prompt belongs to."""
    return id_.partition("\0")[0]


def left_over(limit: Limit, found: Sequence[str], count: int) -> list[str]:
    """Return the texts that the next of ``count`` candidates may be; none once that many are found.

    >>> left_over(Texts(("a", "b", "c")), ["b "], 2), left_over(Texts(("a", "b", "c")), ["b", "a"], 2)
    (['a', 'c'], [])
    """
    assert isinstance(limit, Texts)
    known = {text.strip() for text in found}
    return [text for text in limit.texts if text not in known] if len(found) < count else []


def longest_beam(plan: Plan, tokens: int) -> int:
    """Return how many tokens a beam may have where the likeliest answer has ``tokens``: vLLM's search goes on to the last one."""
    return min(plan.max_new_tokens, 2 * tokens + 16)


def auto_class(settings: Any) -> Any:
    """Return the auto class of a model of this configuration, as Axolotl takes it for training: with towers where it has some.

    Without a GPU the model's code is imported here, so that it takes PyTorch's operations: where flash-linear-attention is
    installed, transformers would take its Triton kernels on any device.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    several = settings.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    auto = AutoModelForImageTextToText if several else AutoModelForCausalLM
    with nullcontext() if torch.cuda.is_available() else hidden(*KERNELS):
        auto._model_mapping.get(type(settings), None)
    return auto


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Return a checkpoint's tokenizer; one without a chat template, or not that of its run, is an ``InputError``."""
    from transformers import AutoTokenizer

    folder = checkpoint.folder
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise cannot_load(checkpoint, error) from error
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(f"{folder}: has no chat template (chat_template.jinja); save it with the checkpoint")
    check_template(folder, template_sha256(tokenizer.chat_template))
    return tokenizer


def cannot_load(checkpoint: Checkpoint, error: Exception) -> InputError:
    """Return the sentence for a checkpoint that cannot be used."""
    base = f" or its base {checkpoint.base.name}" if checkpoint.base else ""
    return InputError(f"{checkpoint.folder}{base}: cannot be loaded as a model with its tokenizer: {first_line(error)}")


def prompt_ids(tokenizer: Any, id_: str, messages: Sequence[Mapping[str, str]], ask: bool = True) -> tuple[int, ...]:
    """Return the token ids of messages as the template writes them; the template alone decides on BOS.

    ``ask``: the ids end where the model is to answer.
    """
    from jinja2 import TemplateError

    try:
        ids = tokenizer.apply_chat_template(list(messages), add_generation_prompt=ask, tokenize=True, return_dict=False)
    except TemplateError as error:
        raise InputError(
            f"row {row_of(id_)!r}: the checkpoint's chat template refuses its messages: {first_line(error)}"
        ) from error
    return tuple(ids)


def answer_ids(tokenizer: Any, text: str, ends: Sequence[int]) -> tuple[int, ...]:
    """Return the token ids of an answer up to its end token, as the template writes it after a prompt."""
    asked = [{"role": "user", "content": "?"}]
    before = prompt_ids(tokenizer, "", asked)
    whole = prompt_ids(tokenizer, "", [*asked, {"role": "assistant", "content": text}], ask=False)
    plain = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    ids = whole[len(before) :] if whole[: len(before)] == before else plain
    return (*(id_ for id_ in until_end(ids, ends) if id_ not in ends), ends[0])


def end_ids(tokenizer: Any, configured: Any) -> list[int]:
    """Return the ids that end an answer: the tokenizer's and those of the checkpoint's generation settings."""
    more = configured if isinstance(configured, list) else [configured]
    ends = [id_ for id_ in dict.fromkeys([tokenizer.eos_token_id, *more]) if id_ is not None]
    if not ends:
        raise InputError("the checkpoint names no end-of-sequence token: set eos_token in its tokenizer")
    return ends


def until_end(line: Sequence[int], ends: Sequence[int]) -> Sequence[int]:
    """Return ids up to the first that ends an answer, that one included."""
    stop = next((place for place, id_ in enumerate(line) if id_ in ends), len(line))
    return line[: stop + 1]


def decode(tokenizer: Any, line: Sequence[int]) -> str:
    """Return the text of generated ids, without control tokens."""
    return str(tokenizer.decode(list(line), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def versions(*names: str) -> dict[str, str]:
    """Return the versions of installed packages."""
    return {name: metadata.version(name) for name in names}
