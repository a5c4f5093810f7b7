"""Trains on a CPU in half the time and less: the same rows in the same order, the same loss, fp32 throughout.

For a recipe that runs without a GPU: ``plugins: [recipes.plugins.cpu.CPU]``. On a machine with a GPU it does nothing.

* A batch is one sequence without padding, each row attending to itself alone; what several rows begin with is computed once, and
  the output layer where an answer is learnt (:mod:`recipes.plugins.cpu_rows`). Axolotl's own packing works, and profits, too.
* Every 4-bit weight is dequantised once, to the bit as bitsandbytes does it for every step, if all of them fit into half of the
  memory that is free (:mod:`recipes.plugins.cpu_layers`). The 4-bit weights stay, and adapter and merge are as without it.

What it does is told in the training's log.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import psutil
import torch
from axolotl.integrations.base import BasePlugin
from axolotl.utils.logging import get_logger
from transformers.loss.loss_utils import ForCausalLMLoss

from recipes.plugins import cpu_layers, cpu_rows

LOG = get_logger("axolotl.cpu")  # Axolotl prints what has its own name in front, and nothing else
SHARE = 0.5  # of the free memory, for dense weights
FULL = {"full_attention", "sliding_attention"}  # the kinds of layers that look at other tokens by attention alone


class CPU(BasePlugin):  # type: ignore[misc]
    """Changes how the trainer's model computes once it is there; a merge or an evaluation elsewhere never sees it."""

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
        """Prepare the model of a training without a GPU."""
        if torch.cuda.is_available():
            LOG.info("CPU: found a GPU; nothing is changed")
            return
        prepare(trainer.model, cfg.neftune_noise_alpha)


def prepare(model: Any, noise: float | None = None) -> None:
    """Flatten the batches of a causal language model, with or without adapter, and make its 4-bit weights dense.

    ``noise`` is NEFTune's, which depends on a batch's shape.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    if reason := "neftune_noise_alpha is set" if noise else unfit(causal):
        LOG.warning(f"CPU: batches keep their padding: {reason}")
    else:
        cpu_rows.register()
        causal.set_attn_implementation(cpu_rows.NAME)
        share = not _drops(model, causal.config.get_text_config())
        causal.forward = _flat(causal.forward, share)
        said = "once" if share else "for every row: there is dropout"
        LOG.info(f"CPU: batches are flattened, logits only where a token is learnt, common beginnings computed {said}")
    need = 4 * sum(layer.in_features * layer.out_features for layer in cpu_layers.four_bit(model))
    if need:
        free = psutil.virtual_memory().available
        fits = need < SHARE * free
        cpu_layers.replace(model, fits)
        said = "once, and held" if fits else "for every pass: too large to hold"
        LOG.info(f"CPU: 4-bit weights are dequantised {said} ({need / 2**30:.2f} GiB in fp32, {free / 2**30:.1f} free)")


def unfit(causal: Any) -> str | None:
    """Return why a model's batches cannot be flattened, ``None`` if they can."""
    config = causal.config.get_text_config()
    if config is not causal.config:
        return f"{type(causal).__name__} takes more than text"
    kinds = set(getattr(config, "layer_types", None) or FULL)
    if config._attn_implementation != "sdpa":
        return f"attn_implementation is {config._attn_implementation}, not sdpa"
    if kinds - FULL:
        return f"layers of kind {', '.join(sorted(kinds - FULL))} carry a state from row to row"
    if (
        "logits_to_keep" not in inspect.signature(causal.forward).parameters
        or causal.loss_function is not ForCausalLMLoss
    ):
        return f"{type(causal).__name__} computes its loss in a way of its own"
    return None


def _drops(model: Any, config: Any) -> bool:
    dropouts = (module.p for module in model.modules() if isinstance(module, torch.nn.Dropout))
    return any(dropouts) or bool(getattr(config, "attention_dropout", 0))


def _flat(forward: Callable[..., Any], share: bool) -> Callable[..., Any]:
    @functools.wraps(forward)  # the trainer reads its signature
    def flat(*args: Any, **batch: Any) -> Any:
        return forward(*args, **(batch if args else cpu_rows.flattened(batch, share)))

    return flat
