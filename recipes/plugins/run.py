"""What a run adds to Axolotl's training: one seed, packs for each epoch, its loss curve and outcome; and a throughput meter."""

import gc
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from axolotl.integrations.base import BasePlugin
from axolotl.utils.logging import get_logger
from pydantic import BaseModel
from transformers import TrainerCallback, set_seed

from converters.io.jsonl import replacing, write_json, write_lines
from recipes.plugins import packs
from recipes.runner.records import layout

LOG = get_logger("axolotl.run")  # Axolotl prints what has its own name in front, and nothing else
SECONDS = 10  # between two pictures, each of which takes a fifth of one


class RunPlugin(BasePlugin):  # type: ignore[misc]
    """Seeds what comes before the trainer, and draws into the run's folder, the parent of ``output_dir``."""

    def load_datasets(self, cfg: Any, preprocess: bool = False) -> None:
        """Let a model with a vision tower learn from text alone, without its image processor.

        Axolotl loads the processor of every such model, which needs torchvision, and only saves it: the merged checkpoint has the
        base's own. It asks plugins for the rows before it loads anything; these ones are its own to load.
        """
        import axolotl.train  # it is imported by now, and a check of the keys need not import it

        if not cfg.processor_type:
            axolotl.train.load_processor = lambda cfg, tokenizer: None

    def pre_model_load(self, cfg: Any) -> None:
        """Seed the adapter's first weights; let a model do with the attention that this machine and its parts have.

        Axolotl seeds the trainer only. Preparing rows draws random numbers and reading them from the cache does not: without this
        a second run of the same recipe would start with another adapter.
        """
        gc.freeze()  # what was imported stays: the collections that the trainer asks for at each checkpoint leave it out
        if cfg.seed is not None:
            set_seed(cfg.seed)
        if not torch.cuda.is_available():  # where it is installed, transformers takes its Triton kernels on any device
            sys.modules.setdefault("fla", None)  # type: ignore[arg-type]
        if cfg.model_config_type == "gemma4":
            _audio_attends_eagerly()

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Return the callbacks that pack each epoch anew, with all its rows, and draw the loss."""
        packs.complete(trainer, cfg.max_steps)
        return [packs.Packs(), Curve(Path(cfg.output_dir).parent)]


def _audio_attends_eagerly() -> None:
    """Let Gemma 4's audio tower, which no text reaches, compute attention in the one way that it has.

    transformers 5.20 refuses the whole model where a recipe names another for it, as Axolotl does for all parts of a model.
    """
    from transformers.models.gemma4.modeling_gemma4 import Gemma4AudioModel

    if not Gemma4AudioModel._supports_sdpa:
        Gemma4AudioModel.get_correct_attn_implementation = lambda *asked, **more: "eager"


class Curve(TrainerCallback):  # type: ignore[misc]
    """Writes the run's losses at every logging step and draws them now and then.

    The trainer's history is whole: a resumed training reads what came before from its checkpoint.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.drawn = run, 0.0

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write what the trainer has logged so far."""
        if state.is_world_process_zero:
            write_lines(self.run / layout.HISTORY, state.log_history)
            if time.monotonic() - self.drawn > SECONDS:
                self.draw(state.log_history)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Draw the whole curve and record how training ended: after how many steps, and whether a callback stopped it."""
        if state.is_world_process_zero:
            self.draw(state.log_history)
            layout.write_outcome(self.run, state.global_step, state.max_steps, control.should_training_stop)

    def draw(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Draw the curve; a picture that fails is no reason to stop a training, but what ends a process ends it here, too."""
        try:
            draw(self.run / layout.PICTURE, self.run.name, history)
        except Exception as error:  # noqa: BLE001 - whatever it is
            if end := _end(error):
                raise end from None
            LOG.warning(f"no {layout.PICTURE}: {error}")
        self.drawn = time.monotonic()


def _end(error: BaseException | None) -> BaseException | None:
    """Return what was to end the process among the causes of an error: Python wraps it where a class was being made."""
    while isinstance(error, Exception):
        error = error.__cause__ or error.__context__
    return error


def draw(path: Path, title: str, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw training and validation loss over steps as SVG, the same bytes for the same history.

    ``history`` is the trainer's: one mapping a logging step, with its ``step``. Losses that are no numbers leave a gap.
    """
    from matplotlib import rc_context  # half a second that the start of a training need not wait for
    from matplotlib.figure import Figure

    with replacing(path) as file, rc_context({"svg.hashsalt": "loss", "svg.fonttype": "none"}):
        axes = (figure := Figure(figsize=(7.6, 3.6), layout="constrained")).subplots()
        axes.set_title(f"{title}: loss", loc="left", parse_math=False)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        for key, name in (("loss", "training"), ("eval_loss", "validation")):
            if curve := [(entry["step"], float(entry[key])) for entry in history if key in entry]:
                axes.plot(*zip(*curve, strict=True), label=f"{name} {curve[-1][1]:.4f}", gid=key)
                axes.legend()
        figure.savefig(file, format="svg", metadata={"Date": None})


class MeterArgs(BaseModel):
    """The key that the meter adds to Axolotl's: the file for its figures."""

    meter_file: str | None = None


class Meter(BasePlugin):  # type: ignore[misc]
    """Counts the non-padding tokens of each micro-batch and times whole steps, for ``ecom-train bench-gpu``."""

    def get_input_args(self) -> str:
        """Return the place of the key's schema."""
        return f"{__name__}.MeterArgs"

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Wrap the trainer's own step."""
        clock = Clock(Path(cfg.meter_file))
        training_step, padding = trainer.training_step, trainer.processing_class.pad_token_id

        def counted(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            clock.tokens += int((inputs["input_ids"] != padding).sum())
            clock.slots += inputs["input_ids"].numel()
            return training_step(model, inputs, *rest, **more)

        trainer.training_step = counted
        return [clock]


class Clock(TrainerCallback):  # type: ignore[misc]
    """Records seconds, tokens and slots (tokens with padding) of every step."""

    def __init__(self, path: Path) -> None:
        self.path, self.tokens, self.slots, self.start = path, 0, 0, 0.0
        self.steps: list[dict[str, float]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Start the clock once the GPU has nothing left to do."""
        _synchronize()
        self.start, self.tokens, self.slots = time.perf_counter(), 0, 0

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Record the step."""
        _synchronize()
        seconds = time.perf_counter() - self.start
        self.steps.append({"seconds": seconds, "tokens": self.tokens, "slots": self.slots})

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Write the figures; memory in bytes, of the GPU where there is one, else of the process."""
        if torch.cuda.is_available():
            memory, device = torch.cuda.max_memory_reserved(), torch.cuda.get_device_name()
        else:
            memory, device = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "CPU"
        write_json(self.path, {"device": device, "memory": memory, "steps": self.steps})


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
