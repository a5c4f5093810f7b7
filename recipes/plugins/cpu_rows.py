"""A batch as one sequence without padding: what a row attends to, and where the output layer has something to learn.

A batch pads its rows to the longest, and the output layer gives a logit of every word for every token, though only the answers
are learnt. Neither padding, nor what follows a row's last learnt token, nor a row without one changes the loss or a gradient.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

MASKED = -100
NAME = "sdpa_by_row"  # of the attention, in transformers' registry


def flattened(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a causal language model's forward for a batch of shape (1, tokens) that has the same mean loss.

    ``batch`` holds ``input_ids`` and ``labels`` of shape (rows, length) and may hold an ``attention_mask``, 0 where padding is,
    and ``position_ids``, which begin at 0 with each row of a pack. The model gets the positions of old; the lengths of what is
    left of each row as ``row_lengths``, for :func:`attend`; and the index and the target of every token that has one. Rows keep
    their order. A batch without ``labels``, or with nothing to learn, comes back as it is.
    """
    ids, labels, places = batch.get("input_ids"), batch.get("labels"), batch.get("position_ids")
    if ids is None or labels is None or (places is not None and places.shape != ids.shape):
        return dict(batch)
    targets = pad(labels, (0, 1), value=MASKED)[:, 1:].flatten()
    learnt = targets != MASKED
    if not learnt.any():
        return dict(batch)
    counted = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    rows = ((counted == 0) | (counted if places is None else places).eq(0)).flatten().cumsum(0) - 1
    kept = _followed(learnt, rows)
    if (mask := batch.get("attention_mask")) is not None:
        kept &= mask.flatten() != 0
    lengths = rows[kept].bincount()
    each = {key: value for key, value in batch.items() if torch.is_tensor(value) and value.shape == ids.shape}
    each["position_ids"] = counted if places is None else places
    return {
        **batch,
        **{key: value.flatten()[kept][None] for key, value in each.items()},
        # transformers takes a mask of four dimensions as it is. Attention that does not know of row_lengths fails on this one.
        "attention_mask": torch.empty(1, 1, 0, 0, device=ids.device),
        "row_lengths": lengths[lengths > 0].tolist(),
        "logits_to_keep": learnt[kept].nonzero().flatten(),
        "shift_labels": targets[learnt & kept],
        "use_cache": False,
    }


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
    row_lengths: list[int] | None = None,
    sliding_window: int | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Return PyTorch's attention, (batch, length, heads, width), of queries, keys and values of (batch, heads, length, width).

    With ``row_lengths`` it is each row's own, one call a row; without, the one that transformers calls ``sdpa``.
    """
    if row_lengths is None:
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **more)
        return found
    parts = zip(*(part.split(row_lengths, 2) for part in (query, key, value)), strict=True)
    rows = [sdpa_attention_forward(module, *part, _window(part[0], sliding_window), **more)[0] for part in parts]
    return torch.cat(rows, 1), None


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
