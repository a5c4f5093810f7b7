"""Sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412): flat minima, which later training moves out of less.

For one run: ``--set 'plugins=[axolotl.integrations.liger.LigerPlugin, recipes.plugins.sam.SAM]' --set sam_rho=0.05``.
A step takes the gradient g of its batch at the weights w, then the gradient at w + rho g / |g|, and applies the second one at w.
The norm is over all trained weights, which with an adapter are the adapter's. With gradient accumulation, or on several GPUs,
every micro-batch has a point of its own, the paper's m-sharpness. It costs a second forward and backward pass, so twice the time,
and two more copies of the trained weights.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from pydantic import BaseModel, Field, model_validator

NAME = "recipes.plugins.sam.SAM"
TINY = 1e-12  # keeps a gradient of zero from dividing by zero


class SAMArgs(BaseModel):
    """The key that this plugin adds to Axolotl's: the distance of the second gradient from the weights, 0.05 in the paper."""

    sam_rho: float = Field(default=0.05, gt=0)

    @model_validator(mode="before")
    @classmethod
    def sam_needs_whole_weights(cls, data: Any) -> Any:
        """Refuse settings that divide the weights or their gradients among GPUs."""
        for key in ("deepspeed", "fsdp_config"):
            if NAME in (data.get("plugins") or ()) and data.get(key):
                raise ValueError(f"plugin {NAME} and {key!r} exclude each other: SAM needs whole gradients")
        return data


class SAM(BasePlugin):  # type: ignore[misc]
    """Replaces the trainer's one pass by two."""

    def get_input_args(self) -> str:
        """Return the place of the key's schema."""
        return "recipes.plugins.sam.SAMArgs"

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
        """Replace the trainer's step."""
        trainer.training_step = sharpness_aware(trainer, cfg.sam_rho)


def sharpness_aware(trainer: Any, rho: float) -> Callable[..., Any]:
    """Return a training step that leaves the gradient of SAM, added to the one that is there, and the loss of the first pass."""
    training_step = trainer.training_step

    def step(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        accumulated = [weight.grad for weight in weights]
        _set_gradients(weights, [None] * len(weights))
        with trainer.accelerator.no_sync(model):
            loss = training_step(model, dict(inputs), *rest, **more)
        before = [weight.detach().clone() for weight in weights]
        climb(weights, rho)
        _set_gradients(weights, accumulated)
        try:
            training_step(model, dict(inputs), *rest, **more)
        finally:
            with torch.no_grad():
                for weight, original in zip(weights, before, strict=True):
                    weight.copy_(original)
        return loss

    return step


def _set_gradients(weights: Sequence[Any], gradients: Sequence[Any]) -> None:
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient


def climb(weights: Sequence[Any], rho: float) -> None:
    """Move weights by ``rho`` along their common gradient; one without a gradient stays."""
    moved = [weight for weight in weights if weight.grad is not None]
    with torch.no_grad():
        sizes = [torch.linalg.vector_norm(weight.grad.float()) for weight in moved]
        norm = torch.linalg.vector_norm(torch.stack([size.to(sizes[0].device) for size in sizes]))
        for weight in moved:
            weight.add_((weight.grad * (rho / (norm + TINY)).to(weight.device)).to(weight.dtype))
