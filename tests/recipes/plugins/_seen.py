"""A plugin for trainings of tests: writes the rows of each batch that a process sees to a file of its own."""

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

from accelerate import ParallelismConfig
from axolotl.integrations.base import BasePlugin


class Seen(BasePlugin):  # type: ignore[misc]
    """Writes ``[epoch, row]`` a line, the row by its tokens without padding, to ``SEEN/RANK.jsonl``."""

    def register(self, cfg: Any) -> None:
        """Let several processes train on a CPU: Axolotl asks for a mesh of CUDA devices, whatever is there."""
        build = ParallelismConfig.build_device_mesh
        ParallelismConfig.build_device_mesh = lambda self, _: build(self, "cpu")

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
    """Return the rows of a batch; a packed one begins wherever the positions do."""
    found = []
    for number, ids in enumerate(inputs["input_ids"].tolist()):
        places = inputs["position_ids"][number].tolist() if "position_ids" in inputs else range(len(ids))
        starts = [*(at for at, place in enumerate(places) if place == 0), len(ids)]
        found += [[token for token in ids[start:end] if token != padding] for start, end in pairwise(starts)]
    return [row for row in found if row]
