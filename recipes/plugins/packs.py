"""Packs that hold every row of an epoch once, on one process or several, in every epoch.

Axolotl plans as many packs for an epoch as the fewest of four shuffles filled, and cuts off what an epoch has more; Accelerate
then drops the last packs that are not enough for every process (Axolotl 0.19 and 0.21, Accelerate 1.13 and 1.15).
"""

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from axolotl.utils.logging import get_logger
from axolotl.utils.samplers.multipack import MultipackBatchSampler
from transformers import TrainerCallback

LOG = get_logger("axolotl.packs")  # Axolotl prints what has its own name in front, and nothing else


def complete(trainer: Any) -> None:
    """Make a trainer's packs hold all rows in every epoch; say what it repeats of rows that are not packed."""
    create, processes = trainer._get_train_sampler, trainer.args.world_size

    def sampler(*args: Any, **more: Any) -> Any:
        made = create(*args, **more)
        if isinstance(made, MultipackBatchSampler):
            whole(made, processes)
        elif made is not None and (again := repeated(len(made), trainer.args.per_device_train_batch_size, processes)):
            said = "every process gets as many, in full batches"
            LOG.warning(f"{again} of {len(made)} rows are seen twice in each epoch: {said}")
        return made

    trainer._get_train_sampler = sampler


def repeated(rows: int, batch: int, processes: int) -> int:
    """Return how many rows Accelerate repeats in an epoch without packing, so that every process gets full batches.

    >>> repeated(41, 4, 2), repeated(40, 4, 2), repeated(41, 4, 1)
    (7, 0, 0)
    """
    return -rows % (batch * processes) if processes > 1 else 0


def whole(sampler: MultipackBatchSampler, processes: int) -> None:
    """Plan an equal number of batches for every process and epoch, and make each epoch fill as many with all its rows.

    An epoch that fills fewer has packs divided in two; one that would fill more gets the tightest packs, in an order of its own.
    """
    size, fewest, tightest = sampler.batch_size, len(sampler), _tightest(sampler)
    planned = -(-max(fewest, -(-len(tightest) // size)) // processes) * processes
    sampler._len_across_ranks = planned
    sampler.drop_last = False  # the last batch is full once packs are divided
    generate = sampler.generate_batches

    def generated(*args: Any, **more: Any) -> list[list[list[int]]]:
        packs = [pack for batch in generate(*args, **more) for pack in batch]
        if len(packs) > planned * size:
            order = np.random.default_rng(packs[0]).permutation(len(tightest))  # the rows of this epoch's first pack
            packs = [tightest[at] for at in order]
        packs = divided(packs, planned * size)
        batches = [packs[at : at + size] for at in range(0, len(packs), size)]
        sampler._batches = batches
        return batches

    sampler.generate_batches = generated


def _tightest(sampler: MultipackBatchSampler) -> list[list[int]]:
    """Return the packs of all rows, the longest first: nearly always fewer than in any other order."""
    order, drop = sampler.sampler, sampler.drop_last
    sampler.sampler, sampler.drop_last, sampler._batches = (
        np.argsort(-sampler.lengths, kind="stable").tolist(),
        False,
        None,
    )
    packs = [pack for batch in sampler.generate_batches() for pack in batch]
    sampler.sampler, sampler.drop_last, sampler._batches = order, drop, None
    return packs


def divided(packs: Sequence[list[int]], count: int) -> list[list[int]]:
    """Return ``count`` packs of the same rows in the same order, those with the most rows divided in two.

    A row is never divided, so that there are as many packs as rows at most.

    >>> divided([[1, 2, 3], [4], [5, 6]], 4)
    [[1], [2, 3], [4], [5, 6]]
    """
    found = list(packs)
    while len(found) < count and any(len(pack) > 1 for pack in found):
        most = heapq.nlargest(count - len(found), range(len(found)), key=lambda at: len(found[at]))
        cut = {at: len(found[at]) // 2 for at in most}
        halves = ((pack[: cut.get(at, 0)], pack[cut.get(at, 0) :]) for at, pack in enumerate(found))
        found = [half for pair in halves for half in pair if half]
    return found


class Packs(TrainerCallback):  # type: ignore[misc]
    """Packs the rows of each epoch in that epoch's order, whatever wraps Axolotl's sampler.

    The sampler keeps its packs until it learns of a new epoch. Where Accelerate skips the batches of a resumed training, or
    splits them among several GPUs, it tells the new epoch to the order of the rows, but not to the packs: the rest of the epoch
    would come in another order, some rows twice and others never, and several GPUs would see the same packs in every epoch.
    """

    def on_epoch_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **kwargs: Any) -> None:
        """Discard the packs of the epoch before."""
        sampler = getattr(train_dataloader, "batch_sampler", None)
        while sampler is not None:
            if isinstance(sampler, MultipackBatchSampler):
                sampler.set_epoch(sampler.epoch)
            sampler = getattr(sampler, "batch_sampler", None)
