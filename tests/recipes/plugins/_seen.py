"""A plugin for a training on two processes of a CPU: it writes the rows that each of them sees to a file of its own."""

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

from axolotl.integrations.base import BasePlugin
from axolotl.utils import environment


class Seen(BasePlugin):  # type: ignore[misc]
    """Writes ``[epoch, tokens]`` for each row, in the order of training, to ``SEEN/RANK.jsonl``.

    The variable ``ACCELERATE_USE_CPU`` joins processes by gloo. Two things of Axolotl need GPUs, and are mended here alone.
    """

    def register(self, cfg: Any) -> None:
        """Leave out the question whether two GPUs reach each other: a torch for CUDA can't be asked where there is none."""
        environment.check_cuda_p2p_support = lambda: True

    def load_datasets(self, cfg: Any, preprocess: bool = False) -> None:
        """Put the model on the CPU: Axolotl puts that of each of several processes on the GPU of its number, if any or none."""
        cfg.device_map = {"": "cpu"}

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Wrap the trainer's own step."""
        step, out = trainer.training_step, Path(os.environ["SEEN"], f"{trainer.args.process_index}.jsonl")

        def seen(model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            epoch = int(trainer.state.epoch + 1e-6)
            with out.open("a") as file:
                file.writelines(
                    f"{json.dumps([epoch, row])}\n" for row in rows(inputs, trainer.processing_class.pad_token_id)
                )
            return step(model, inputs, *rest, **more)

        trainer.training_step = seen
        return []


def rows(inputs: Any, padding: int) -> list[list[int]]:
    """Return the tokens of each row of a batch, without padding; in a pack, positions begin again at each row."""
    found = []
    for number, ids in enumerate(inputs["input_ids"].tolist()):
        places = inputs["position_ids"][number].tolist() if "position_ids" in inputs else range(len(ids))
        starts = [*(at for at, place in enumerate(places) if place == 0), len(ids)]
        found += [[token for token in ids[start:end] if token != padding] for start, end in pairwise(starts)]
    return [row for row in found if row]
