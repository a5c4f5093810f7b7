"""Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv:1612.00796): weights that earlier rows depend on move less.

For one run: ``--set 'plugins=[axolotl.integrations.liger.LigerPlugin, recipes.plugins.ewc.EWC]' --set ewc_lambda=10 --set
ewc_data=data/april/train.jsonl``. The loss of every step gets ``ewc_lambda / 2 * sum F_i (w_i - w*_i)^2`` over the trained
weights. w* are these weights as the run starts, and F is their diagonal Fisher information there, estimated on rows of
``ewc_data``: the mean over rows of the squared gradient of the log-probability of a row's answers (the rows' own answers, so it
is the empirical Fisher information), read by the recipe's own prompt strategy.

For an adapter: the base is frozen and cannot forget; what drifts is the product B A. In a first run B starts at 0, so A has no
Fisher information and is free, and the penalty holds B near 0 where the rows' answers depend on it: it keeps the base model. A
run that starts from an earlier adapter (``lora_model_dir``) has the earlier run's B and A as w*, and keeps that model.

It costs one pass over ``ewc_rows`` rows, one at a time, before the first step, then two fp32 copies of the trained weights (F and
w*), about two more within a step, and hardly any time. F and w* are saved beside the adapter's folder in ``ewc.safetensors``,
where a resumed run finds them. The logged training loss includes the penalty.
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

from converters.core.errors import InputError
from converters.examples import read_rows
from converters.schema import Row

NAME = "recipes.plugins.ewc.EWC"
FILE = "ewc.safetensors"
MASKED = -100
LOG = get_logger("axolotl.ewc")  # Axolotl prints what has its own name in front, and nothing else


class EWCArgs(BaseModel):
    """The keys that this plugin adds to Axolotl's.

    No ``ewc_lambda`` fits every model: too large a one makes training diverge (on a toy, 100 can), so begin low and watch the
    loss. ``ewc_data`` is a split of a mixture, from which ``ewc_rows`` rows of ``ewc_tasks``, or of all tasks, are drawn.
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
                    raise ValueError(f"plugin {NAME} needs the key {key!r}")
            for key in ("deepspeed", "fsdp_config"):
                if data.get(key):
                    raise ValueError(f"plugin {NAME} and {key!r} exclude each other: EWC needs whole weights")
        return data


class EWC(BasePlugin):  # type: ignore[misc]
    """Adds the penalty to the trainer's loss."""

    def get_input_args(self) -> str:
        """Return the place of the keys' schema."""
        return "recipes.plugins.ewc.EWCArgs"

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Replace the trainer's loss; its anchors are computed when training begins and the model is on its device."""
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
    return strength / 2 * sum((a.fisher * (a.weight.float() - a.start) ** 2).sum() for a in anchors)


def penalised(trainer: Any, anchors: Sequence[Anchor], strength: float) -> Callable[..., Any]:
    """Return the trainer's ``compute_loss`` with the penalty in it, once a step however many micro-batches a step has."""
    compute_loss = trainer.compute_loss

    def compute(model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        loss = compute_loss(model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch)
        if not model.training:
            return loss
        # The trainer divides a loss by the micro-batches of a step only where it is not one over all the step's tokens.
        over_step = trainer.model_accepts_loss_kwargs and num_items_in_batch is not None
        undivided = over_step or trainer.compute_loss_func is not None
        extra = penalty(anchors, strength) / (trainer.current_gradient_accumulation_steps if undivided else 1)
        return (loss[0] + extra, *loss[1:]) if return_outputs else loss + extra

    return compute


def trained(model: Any) -> dict[str, Any]:
    """Return a model's trained weights by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def fisher(model: Any, rows: Iterable[Any]) -> dict[str, Any]:
    """Return the diagonal of the empirical Fisher information of the trained weights, fp32, by name.

    ``rows`` are a model's inputs, ``input_ids`` and ``labels`` of shape (1, tokens) each. The model is in training mode, outside
    of which 4-bit weights have no gradient on a CPU. Existing gradients are cleared.
    """
    weights, count = trained(model), 0
    squares = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in weights.items()}
    model.train()
    for count, inputs in enumerate(rows, 1):  # noqa: B007 - count is the divisor
        model.zero_grad(set_to_none=True)
        answer_tokens = (inputs["labels"][:, 1:] != MASKED).sum()
        (model(**inputs).loss * answer_tokens).backward()
        for name, weight in weights.items():
            if weight.grad is not None:
                squares[name] += weight.grad.float() ** 2
    model.zero_grad(set_to_none=True)
    return {name: total / max(1, count) for name, total in squares.items()}


class Consolidation(TrainerCallback):  # type: ignore[misc]
    """Computes the anchors when training begins, or loads those of the run that is resumed."""

    def __init__(self, trainer: Any, cfg: Any) -> None:
        self.trainer, self.cfg, self.anchors = trainer, cfg, list[Anchor]()

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Fill the anchors."""
        path, weights = Path(args.output_dir).parent / FILE, trained(self.trainer.model)
        if state.global_step == 0:
            self._estimate(path, weights)
        elif not path.is_file():
            raise InputError(f"{path}: is missing; the run cannot be resumed without it")
        tensors = load_file(path)
        for name, weight in weights.items():
            start, information = (tensors[f"{kind}.{name}"].to(weight.device) for kind in ("start", "fisher"))
            self.anchors.append(Anchor(weight, start, information))

    def _estimate(self, path: Path, weights: dict[str, Any]) -> None:
        with self.trainer.compute_loss_context_manager():
            information = fisher(self.trainer.model, self._inputs())
        if self.trainer.is_world_process_zero():
            start = {f"start.{name}": weight.detach().float().cpu() for name, weight in weights.items()}
            save_file(start | {f"fisher.{name}": tensor.cpu() for name, tensor in information.items()}, path)
        self.trainer.accelerator.wait_for_everyone()
        total, size = (sum(float(f(tensor)) for tensor in information.values()) for f in (torch.sum, torch.numel))
        LOG.info(f"EWC: Fisher information {total:.4g} over {size:.0f} weights")

    def _inputs(self) -> Iterator[dict[str, Any]]:
        """Yield ``ewc_rows`` rows as training reads them, without those that it would drop as too long."""
        cfg, entry = self.cfg, self.cfg.datasets[0]
        reader = load(entry["type"], self.trainer.processing_class, cfg, DictDefault(dict(entry)))
        rows = shuffled(read_rows(Path(cfg.ewc_data)), cfg.ewc_tasks, cfg.seed or 0)
        turns = ([*row.prompt, {"role": "assistant", "content": row.target}] for row in rows)
        tokenized = (reader.tokenize_prompt({"messages": messages}) for messages in turns)
        fitting = (inputs for inputs in tokenized if len(inputs["input_ids"]) <= cfg.sequence_len)
        for inputs in islice(fitting, cfg.ewc_rows):
            yield {key: torch.tensor([inputs[key]], device=self.trainer.args.device) for key in ("input_ids", "labels")}

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Log the penalty of the final weights."""
        with torch.no_grad():
            LOG.info(f"EWC: penalty {float(penalty(self.anchors, self.cfg.ewc_lambda)):.4g} at the end")


def shuffled(rows: Sequence[Row], tasks: Sequence[str] | None, seed: int) -> list[Row]:
    """Return the rows of the tasks, of all if none is named, shuffled; no rows are an ``InputError``."""
    some = [row for row in rows if not tasks or row.task in tasks]
    if not some:
        raise InputError(f"ewc_data: has no row of task {', '.join(tasks or ())} to estimate on")
    return random.Random(seed).sample(some, len(some))
