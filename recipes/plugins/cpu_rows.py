"""A batch as one sequence without padding: what a row attends to, and where the output layer has something to learn.

A batch pads its rows to the longest, and the output layer gives a logit of every word for every token, though only the answers
are learnt. Neither padding, nor what follows a row's last learnt token, nor a row without one changes the loss or a gradient.
And rows begin alike: the system turn, an instruction. A token with the same tokens before it has the same hidden states and is
computed once for all rows of the batch; its gradient is the sum over them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

MASKED = -100
NAME = "sdpa_by_row"  # of the attention, in transformers' registry


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a sequence that holds what they share once.

    ``lengths`` of the rows, in their order; ``tokens``, for each token of each row its place in the sequence; ``first``, for each
    place the first of those tokens.
    """

    lengths: list[int]
    tokens: torch.Tensor
    first: torch.Tensor


def flattened(batch: Mapping[str, Any], share: bool) -> dict[str, Any]:
    """Return the arguments of a causal language model's forward for a batch of shape (1, tokens) that has the same mean loss.

    ``batch`` holds ``input_ids`` and ``labels`` of shape (rows, length) and may hold an ``attention_mask``, 0 where padding is,
    and ``position_ids``, which begin at 0 with each row of a pack. The model gets the positions of old, the ``rows`` for
    :func:`attend`, and the index and the target of every token that has one. What rows begin with alike is there once if
    ``share``. A batch without ``labels``, or with nothing to learn, comes back as it is.
    """
    ids, labels, places = batch.get("input_ids"), batch.get("labels"), batch.get("position_ids")
    if ids is None or labels is None or (places is not None and places.shape != ids.shape):
        return dict(batch)
    targets = pad(labels, (0, 1), value=MASKED)[:, 1:].flatten()
    learnt = targets != MASKED
    if not learnt.any():
        return dict(batch)
    counted = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    places = counted if places is None else places
    numbers = ((counted == 0) | (places == 0)).flatten().cumsum(0) - 1
    kept = _followed(learnt, numbers)
    if (mask := batch.get("attention_mask")) is not None:
        kept &= mask.flatten() != 0
    kept = kept.nonzero().flatten()
    lengths = numbers[kept].bincount()
    rows = _rows(lengths[lengths > 0].tolist(), ids.flatten()[kept].tolist(), places.flatten()[kept].tolist(), share)
    left = kept[rows.first]
    each = {key: value for key, value in batch.items() if torch.is_tensor(value) and value.shape == ids.shape}
    return {
        **batch,
        **{key: value.flatten()[left][None] for key, value in (each | {"position_ids": places}).items()},
        # transformers takes a mask of four dimensions as it is. Attention that does not know of rows fails on this one.
        "attention_mask": torch.empty(1, 1, 0, 0, device=ids.device),
        "rows": rows,
        "logits_to_keep": rows.tokens[learnt[kept]],
        "shift_labels": targets[kept][learnt[kept]],
        "use_cache": False,
    }


def _rows(lengths: list[int], ids: Sequence[int], places: Sequence[int], share: bool) -> Rows:
    """Return the rows of tokens that stand row after row, those of a common beginning as one if ``share``."""
    if not share:
        every = torch.arange(len(ids))
        return Rows(lengths, every, every)
    known: dict[tuple[int, int, int], int] = {}
    tokens, first, start = list[int](), list[int](), 0
    for length in lengths:
        before = -1
        for number in range(start, start + length):
            before = known.setdefault((before, ids[number], places[number]), len(known))
            if before == len(first):
                first.append(number)
            tokens.append(before)
        start += length
    return Rows(lengths, torch.tensor(tokens), torch.tensor(first))


def _followed(learnt: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Tell of each token whether its row has something to learn there or later; ``rows`` is each token's row, in order."""
    count = learnt.long().cumsum(0)
    last = torch.zeros(int(rows[-1]) + 1, dtype=torch.long, device=rows.device).scatter_reduce(0, rows, count, "amax")
    return learnt | (count < last[rows])


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    rows: Rows | None = None,
    sliding_window: int | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Return PyTorch's attention, (batch, length, heads, width), of queries, keys and values of (batch, heads, length, width).

    With ``rows`` it is each row's own, one call a row; without, the one that transformers calls ``sdpa``.
    """
    if rows is None:
        usual: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **more)
        return usual
    shared = len(rows.first) < len(rows.tokens)
    whole = [part.index_select(2, rows.tokens) if shared else part for part in (query, key, value)]
    parts = zip(*(part.split(rows.lengths, 2) for part in whole), strict=True)
    found = [sdpa_attention_forward(module, *part, _window(part[0], sliding_window), **more)[0] for part in parts]
    joined = torch.cat(found, 1)
    return joined.index_select(1, rows.first) if shared else joined, None


def _window(query: torch.Tensor, width: int | None) -> torch.Tensor | None:
    """Return the mask of a row that is longer than the window of its layer; ``None`` for one that sees all before it."""
    length = query.shape[2]
    if width is None or length <= width:
        return None
    place = torch.arange(length, device=query.device)
    behind = place[:, None] - place
    return ((behind >= 0) & (behind < width))[None, None]


def register() -> None:
    """Make the attention known to transformers, with the masks of ``sdpa`` for a batch that is not flattened."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
