"""Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv:1612.00796): weights that earlier rows rest on move less.

For one run: ``--set 'plugins=[axolotl.integrations.liger.LigerPlugin, recipes.plugins.ewc.EWC]' --set ewc_lambda=10 --set
ewc_data=data/april/train.jsonl``. The loss of every step gets ``ewc_lambda / 2 * sum F_i (w_i - w*_i)^2`` over the trained
weights. w* are these weights as the run starts, and F is their diagonal Fisher information there, estimated on rows of
``ewc_data``: the mean over rows of the squared gradient of the log-probability of all that is learnt of a row (with the answers
that the rows have, so it is the empirical Fisher information), read by the recipe's own prompt strategy.

What that means for an adapter: the base below is frozen and cannot forget; what drifts is the product B A. In a first run B
starts at 0, so A has no Fisher information and is free, and the penalty holds B near 0 where the rows' answers feel it: it keeps
the base model. A run that goes on from an earlier adapter (``lora_model_dir``) has the earlier run's B and A as w*, and keeps
that model.

It costs one pass over ``ewc_rows`` rows, one at a time, before the first step; two fp32 copies of the trained weights (F and w*),
and about two more within a step; of its time next to nothing. F and w* are left beside the adapter's folder in
``ewc.safetensors``: a resumed run takes them from there. The loss that is logged in training has the penalty in it.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from axolotl.prompt_strategies import load
from axolotl.utils.dict import DictDefault
from axolotl.utils.logging import get_logger
from pydantic import BaseModel, Field, model_validator
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from converters.errors import InputError
from converters.examples import Row
from converters.jsonl import read_rows

NAME = "recipes.plugins.ewc.EWC"
FILE = "ewc.safetensors"
MASKED = -100
LOG = get_logger("axolotl.ewc")  # Axolotl prints what has its own name in front, and nothing else


class EWCArgs(BaseModel):
    """The keys that this plugin adds to Axolotl's.

    ``ewc_lambda`` has no value that fits every model: too large a one makes training diverge (on a toy, 100 can), so begin low
    and look at the loss. ``ewc_data`` is a split of a mix; of its rows those of ``ewc_tasks``, or all, are drawn from;
    ``ewc_rows`` is how many.
    """

    ewc_lambda: float | None = Field(default=None, gt=0)
    ewc_data: str | None = None
    ewc_tasks: list[str] | None = None
    ewc_rows: int = Field(default=256, gt=0)

    @model_validator(mode="before")
    @classmethod
    def ewc_is_whole(cls, data: Any) -> Any:
        """Refuse the plugin without its keys, and what divides the weights among GPUs."""
        if NAME in (data.get("plugins") or ()):
            for key in ("ewc_lambda", "ewc_data"):
                if data.get(key) is None:
                    raise ValueError(f"found plugin {NAME} without {key!r}, expected it")
            for key in ("deepspeed", "fsdp_config"):
                if data.get(key):
                    raise ValueError(
                        f"found {key!r} beside plugin {NAME}, expected one of them: EWC needs whole weights"
                    )
        return data


class EWC(BasePlugin):  # type: ignore[misc]
    """Adds the penalty to the trainer's loss."""

    def get_input_args(self) -> str:
        """Return the place of the keys' schema."""
        return "recipes.plugins.ewc.EWCArgs"

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Take the trainer's loss over; what it is held to is found as training begins, the model being in its place by then."""
        consolidation = Consolidation(trainer, cfg)
        trainer.compute_loss = penalised(trainer, consolidation.anchors, cfg.ewc_lambda)
        return [consolidation]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A trained weight, its value at the start of the run and its Fisher information: of one shape, the latter two fp32."""

    weight: Any
    start: Any
    fisher: Any


def penalty(anchors: Iterable[Anchor], strength: float) -> Any:
    """Return ``strength / 2 * sum F_i (w_i - w*_i)^2``, a scalar that gradients flow through."""
    return strength / 2 * sum((one.fisher * (one.weight.float() - one.start) ** 2).sum() for one in anchors)


def penalised(trainer: Any, anchors: Sequence[Anchor], strength: float) -> Callable[..., Any]:
    """Return the trainer's ``compute_loss`` with the penalty in it, once a step however many micro-batches a step has."""
    own = trainer.compute_loss

    def compute(model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        found = own(model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch)
        if not model.training:
            return found
        # The trainer divides a loss by the micro-batches of a step only where it is not one over all the step's tokens.
        whole = trainer.compute_loss_func is not None or (
            trainer.model_accepts_loss_kwargs and num_items_in_batch is not None
        )
        more = penalty(anchors, strength) / (trainer.current_gradient_accumulation_steps if whole else 1)
        return (found[0] + more, *found[1:]) if return_outputs else found + more

    return compute


def trained(model: Any) -> dict[str, Any]:
    """Return a model's trained weights by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def fisher(model: Any, rows: Iterable[Any]) -> dict[str, Any]:
    """Return the diagonal of the empirical Fisher information of the trained weights, fp32, by name.

    ``rows`` are a model's inputs, ``input_ids`` and ``labels`` of shape (1, tokens) each. The model is in its training mode, for
    4-bit weights have no gradient on a CPU out of it. Gradients that were there are gone afterwards.
    """
    weights, count = trained(model), 0
    found = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in weights.items()}
    model.train()
    for count, inputs in enumerate(rows, 1):  # noqa: B007 - count is the divisor
        model.zero_grad(set_to_none=True)
        learnt = (inputs["labels"][:, 1:] != MASKED).sum()
        (model(**inputs).loss * learnt).backward()
        for name, weight in weights.items():
            if weight.grad is not None:
                found[name] += weight.grad.float() ** 2
    model.zero_grad(set_to_none=True)
    return {name: total / max(1, count) for name, total in found.items()}


class Consolidation(TrainerCallback):  # type: ignore[misc]
    """Finds, as training begins, what the weights are held to: anew, or where a run goes on as it was found then."""

    def __init__(self, trainer: Any, cfg: Any) -> None:
        self.trainer, self.cfg, self.anchors = trainer, cfg, list[Anchor]()

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Fill the anchors."""
        path, weights = Path(args.output_dir).parent / FILE, trained(self.trainer.model)
        if state.global_step == 0:
            self._estimate(path, weights)
        elif not path.is_file():
            raise InputError(f"{path}: found nothing, expected what the run's first steps were held to")
        told = load_file(path)
        for name, weight in weights.items():
            start, information = (told[f"{kind}.{name}"].to(weight.device) for kind in ("start", "fisher"))
            self.anchors.append(Anchor(weight, start, information))

    def _estimate(self, path: Path, weights: dict[str, Any]) -> None:
        with self.trainer.compute_loss_context_manager():
            found = fisher(self.trainer.model, self._inputs())
        if self.trainer.is_world_process_zero():
            told = {f"start.{name}": weight.detach().float().cpu() for name, weight in weights.items()}
            save_file(told | {f"fisher.{name}": one.cpu() for name, one in found.items()}, path)
        self.trainer.accelerator.wait_for_everyone()
        total = sum(float(one.sum()) for one in found.values())
        LOG.info(f"EWC: Fisher information {total:.4g} over {sum(one.numel() for one in found.values())} weights")

    def _inputs(self) -> Iterator[dict[str, Any]]:
        """Yield ``ewc_rows`` rows as training has them; those that it would drop as too long are left out here, too."""
        cfg, entry = self.cfg, self.cfg.datasets[0]
        reader = load(entry["type"], self.trainer.processing_class, cfg, DictDefault(dict(entry)))
        rows = shuffled(read_rows(Path(cfg.ewc_data)), cfg.ewc_tasks, cfg.seed or 0)
        made = (
            reader.tokenize_prompt({"messages": [*row.prompt, {"role": "assistant", "content": row.target}]})
            for row in rows
        )
        fit = (one for one in made if len(one["input_ids"]) <= cfg.sequence_len)
        for one in islice(fit, cfg.ewc_rows):
            yield {key: torch.tensor([one[key]], device=self.trainer.args.device) for key in ("input_ids", "labels")}

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Tell what the weights' drift costs in the end."""
        with torch.no_grad():
            LOG.info(f"EWC: penalty {float(penalty(self.anchors, self.cfg.ewc_lambda)):.4g} at the end")


def shuffled(rows: Sequence[Row], tasks: Sequence[str] | None, seed: int) -> list[Row]:
    """Return the rows of the tasks, of all if none is named, in a drawn order; none at all is an ``InputError``."""
    among = [row for row in rows if not tasks or row.task in tasks]
    if not among:
        raise InputError(f"ewc_data: found no row of task {', '.join(tasks or ())}, expected some to estimate on")
    return random.Random(seed).sample(among, len(among))
