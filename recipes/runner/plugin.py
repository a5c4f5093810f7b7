"""What a run adds to Axolotl's training, loaded in the training process alone: one seed, packs of each epoch's own, its loss
curve, and how it ended."""

from pathlib import Path
from typing import Any

from axolotl.integrations.base import BasePlugin
from axolotl.utils.samplers.multipack import MultipackBatchSampler
from transformers import TrainerCallback, set_seed

from recipes.runner import curve, ended


class RunPlugin(BasePlugin):  # type: ignore[misc]
    """Seeds what comes before the trainer, and draws into the folder above ``output_dir``, which is the run's."""

    def pre_model_load(self, cfg: Any) -> None:
        """Seed the adapter's first weights.

        Axolotl seeds the trainer only. Preparing rows draws random numbers and reading them from the cache does not, so that
        without this a second run of the same recipe would begin with another adapter.
        """
        if cfg.seed is not None:
            set_seed(cfg.seed)

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Return the callbacks that pack each epoch anew and that draw."""
        return [Packs(), Curve(Path(cfg.output_dir).parent)]


class Packs(TrainerCallback):  # type: ignore[misc]
    """Has the rows of each epoch packed in that epoch's order, whatever stands between the trainer and Axolotl's sampler.

    That keeps the packs it has made until it is told of a new epoch. Accelerate tells the order of the rows alone, and not the
    packs, when it skips what a resumed training has seen or deals them out to several GPUs: the rest of the epoch would come in
    another order, some rows twice and others never, and several GPUs would see the same packs in every epoch.
    """

    def on_epoch_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **kwargs: Any) -> None:
        """Forget the packs that are there."""
        sampler = getattr(train_dataloader, "batch_sampler", None)
        while sampler is not None:
            if isinstance(sampler, MultipackBatchSampler):
                sampler.set_epoch(sampler.epoch)
            sampler = getattr(sampler, "batch_sampler", None)


class Curve(TrainerCallback):  # type: ignore[misc]
    """Writes picture and figures of the run at every logging step.

    The trainer's history is whole: a resumed training reads what came before from its checkpoint.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Draw what the trainer has logged so far."""
        if state.is_world_process_zero:
            curve.write(self.run, state.log_history)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave word that the training came to its end, after how many steps and because of what."""
        if state.is_world_process_zero:
            ended.write(self.run, state.global_step, state.max_steps, control.should_training_stop)
