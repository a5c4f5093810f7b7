"""The tokens of a batch's answers, one a step, in place of the loop of transformers' ``generate``.

A network that takes ids, mask and positions as they are is fed here; what its prompts begin with goes through it once, and its
keys and values are shared out to all rows. For others ``generate`` prepares the inputs, with ``decode`` in place of its loop. A
row whose answer has ended leaves the batch, where neither a constraint nor a draw counts on its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache, GenerationMixin
from transformers.cache_utils import Cache, DynamicLayer

MORE = 16  # columns


@dataclass(frozen=True, slots=True)
class How:
    """How answers are decoded, of ``longest`` tokens at most; one of ``ends`` ends an answer.

    ``fed``: the network is fed here; the first ``shared`` columns are then the same in all rows. ``temperature`` 0 is greedy.
    ``leave``: rows that have ended do. ``tell``: how probable the tokens are.
    """

    longest: int
    ends: list[int]
    pad: int
    fed: bool
    shared: int
    temperature: float
    leave: bool
    tell: bool


def can_share(network: Any) -> bool:
    """Tell whether a network's cache can be shared out to rows that are padded behind it, and ``fed`` is all that it takes.

    It must keep all keys and values and take positions as they are told: a window, or a recurrent state, would count the padding,
    and alibi is computed from the mask.
    """
    layers = DynamicCache(config=network.config).layers
    own = type(network).prepare_inputs_for_generation is not GenerationMixin.prepare_inputs_for_generation
    plain = not own and not getattr(network.config, "alibi", False)
    keeps = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
    return plain and keeps and {"position_ids", "logits_to_keep"} <= signature(network.forward).parameters.keys()


def cache(network: Any) -> DynamicCache:
    """Return an empty cache, for a network that ``can_share``, whose steps copy no columns but their own."""
    found = DynamicCache(config=network.config)
    found.layers = [Roomy() for _ in found.layers]
    return found


class Roomy(DynamicLayer):  # type: ignore[misc]
    """A layer's keys and values, rows x heads x columns x width, as views of tensors with room for ``MORE`` columns.

    A layer of transformers' own copies all columns before at each step, which takes a small model a third of its time.
    """

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Hold no columns yet."""
        super().lazy_initialization(key_states, value_states)
        self.keys, self.values = self.held = key_states[..., :0, :], value_states[..., :0, :]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add columns, and return all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.keys.shape[-2]
        end = start + key_states.shape[-2]
        if end > self.held[0].shape[-2]:
            self.held = tuple(functional.pad(kept, (0, 0, 0, end + MORE - start)) for kept in (self.keys, self.values))
        for kept, states in zip(self.held, (key_states, value_states), strict=True):
            kept[..., start:end, :] = states
        self.keys, self.values = (kept[..., :end, :] for kept in self.held)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keep the rows that are named, in that order."""
        columns = self.keys.shape[-2]
        self.held = tuple(kept.index_select(0, beam_idx.to(kept.device)) for kept in self.held)
        self.keys, self.values = (kept[..., :columns, :] for kept in self.held)


def fed(how: How, network: Any, mask: torch.Tensor) -> dict[str, Any]:
    """Return what ``decode`` takes for a network that ``can_share``, in place of what ``generate`` prepares.

    Mask and positions, rows x columns, are of all columns that there will be, so that a step makes none.
    """
    whole = functional.pad(mask, (0, how.longest), value=1)
    positions = (whole.cumsum(1) - 1).clamp(min=0)
    return {"attention_mask": whole.bool(), "position_ids": positions, "past_key_values": cache(network)}


def decode(
    how: How,
    network: Any,
    ids: torch.Tensor,
    logits_processor: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    stopping_criteria: Any = None,
    generation_config: Any = None,
    **model_kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the ids of the answers and their log-probabilities, behind constraints and before the temperature.

    Both are rows x ``longest``; what stands behind an answer's end means nothing. The parameters are those that ``generate``
    passes to its ``custom_generate``, or ``model_kwargs`` are those of ``fed``.
    """
    rows, known = torch.arange(len(ids), device=ids.device), how.shared
    found = ids.new_full((len(ids), how.longest), how.pad)
    told = torch.zeros(found.shape, device=ids.device)
    ends, over = ids.new_tensor(how.ends), torch.zeros_like(rows, dtype=torch.bool)
    leave = how.leave and isinstance(model_kwargs.get("past_key_values"), Cache)
    forward = _plain if how.fed else _prepared
    if known:
        first = {name: value[:1] if _of_rows(value) else value for name, value in model_kwargs.items()}
        _plain(network, ids[:1, :known], 0, first)
        model_kwargs["past_key_values"].reorder_cache(torch.zeros_like(rows))
    for step in range(how.longest):
        output, model_kwargs = forward(network, ids, known, model_kwargs)
        known = ids.shape[1]
        logits = output[:, -1].to(copy=True, dtype=torch.float32, device=ids.device)
        scores = logits_processor(ids, logits)
        tokens = _pick(scores, how.temperature).masked_fill(over, how.pad)
        found[rows, step] = tokens
        if how.tell:
            told[rows, step] = scores.log_softmax(1).gather(1, tokens[:, None])[:, 0]
        over |= torch.isin(tokens, ends)
        if over.all():
            break
        ids = torch.cat([ids, tokens[:, None]], 1)
        if leave and over.any():
            stay = (~over).nonzero()[:, 0]
            rows, ids, over = rows[stay], ids[stay], over[stay]
            model_kwargs = _kept(model_kwargs, stay)
    return found, told


def _plain(network: Any, ids: torch.Tensor, known: int, whole: dict[str, Any]) -> tuple[torch.Tensor, dict[str, Any]]:
    """Return the scores behind the ids of which ``known`` columns are in the cache, of a network that is ``fed``."""
    columns = ids.shape[1]
    mask = whole["attention_mask"][:, :columns]
    if columns - known == 1 and network._can_compile_fullgraph and network.config._attn_implementation == "sdpa":
        # Such a network takes a mask as its attention does; to make it at each step takes a small one a tenth of its time.
        mask = mask[:, None, None]
    output = network(
        input_ids=ids[:, known:],
        attention_mask=mask,
        position_ids=whole["position_ids"][:, known:columns],
        past_key_values=whole["past_key_values"],
        use_cache=True,
        logits_to_keep=1,
        return_dict=True,
    )
    return output.logits, whole


def _prepared(
    network: Any, ids: torch.Tensor, known: int, model_kwargs: dict[str, Any]
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Do the same with inputs as ``generate`` prepares them."""
    inputs = network.prepare_inputs_for_generation(
        ids, next_sequence_length=ids.shape[1] - known, is_first_iteration=not known, **model_kwargs
    )
    output = network(**inputs, return_dict=True)
    return output.logits, network._update_model_kwargs_for_generation(output, model_kwargs)


def _kept(model_kwargs: dict[str, Any], rows: torch.Tensor) -> dict[str, Any]:
    model_kwargs["past_key_values"].reorder_cache(rows)
    return {name: value.index_select(-2, rows) if _of_rows(value) else value for name, value in model_kwargs.items()}


def _of_rows(value: Any) -> bool:
    """Tell whether it is a mask or positions, rows x columns; positions of several axes have these before."""
    return isinstance(value, torch.Tensor) and value.ndim > 1


def _pick(scores: torch.Tensor, temperature: float) -> torch.Tensor:
    if temperature:
        return torch.multinomial((scores / temperature).softmax(1), 1)[:, 0]
    return scores.argmax(1)
