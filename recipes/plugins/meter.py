"""An Axolotl plugin that measures a training: seconds and non-padding tokens of every step, peak memory.

Turned on by ``plugins: [recipes.plugins.meter.Meter]`` and ``meter_file: PATH``, as :mod:`recipes.runner.bench` does.
"""

import resource
import time
from pathlib import Path
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from pydantic import BaseModel
from transformers import TrainerCallback

from converters.io.jsonl import write_json


class MeterArgs(BaseModel):
    """The key that this plugin adds to Axolotl's: where the figures go."""

    meter_file: str | None = None


class Meter(BasePlugin):  # type: ignore[misc]
    """Counts the non-padding tokens of each micro-batch and times whole steps."""

    def get_input_args(self) -> str:
        """Return the place of the key's schema."""
        return "recipes.plugins.meter.MeterArgs"

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Wrap the trainer's own step."""
        clock = Clock(Path(cfg.meter_file))
        own, padding = trainer.training_step, trainer.processing_class.pad_token_id

        def counted(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            clock.tokens += int((inputs["input_ids"] != padding).sum())
            clock.slots += inputs["input_ids"].numel()
            return own(model, inputs, *rest, **more)

        trainer.training_step = counted
        return [clock]


class Clock(TrainerCallback):  # type: ignore[misc]
    """Notes seconds, tokens and slots (tokens with padding) of every step."""

    def __init__(self, path: Path) -> None:
        self.path, self.tokens, self.slots, self.start = path, 0, 0, 0.0
        self.steps: list[dict[str, float]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Start the clock once the GPU has nothing left to do."""
        _wait()
        self.start, self.tokens, self.slots = time.perf_counter(), 0, 0

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Note the step."""
        _wait()
        seconds = time.perf_counter() - self.start
        self.steps.append({"seconds": seconds, "tokens": self.tokens, "slots": self.slots})

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Write the figures; memory in bytes, of the GPU where there is one, else of the process."""
        if torch.cuda.is_available():
            memory, device = torch.cuda.max_memory_reserved(), torch.cuda.get_device_name()
        else:
            memory, device = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "CPU"
        write_json(self.path, {"device": device, "memory": memory, "steps": self.steps})


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
