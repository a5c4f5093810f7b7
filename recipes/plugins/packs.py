"""Every row once in every epoch: in packs on one process or several, and in batches of rows that are not packed on several.

Axolotl plans as many packs for an epoch as the fewest of four shuffles filled, and cuts off what an epoch has more; Accelerate
then drops the last packs that are not enough for every process, and repeats rows that are not packed until every process has as
many, in full batches. Axolotl ends the last epoch early, on one process, too: it counts the steps of all epochs as if none had an
incomplete one (Axolotl 0.19 and 0.21, Accelerate 1.13 and 1.15).
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from axolotl.utils.logging import get_logger
from axolotl.utils.samplers.multipack import MultipackBatchSampler
from torch.utils.data import BatchSampler
from transformers import TrainerCallback

LOG = get_logger("axolotl.packs")  # Axolotl prints what has its own name in front, and nothing else


def complete(trainer: Any, steps: int | None = None) -> None:
    """Make a trainer's packs or batches hold all rows in every epoch; say how many are repeated where rows are too few.

    ``steps`` are those that the recipe sets, if any; without, training ends with its last epoch.
    """
    create, load, processes = trainer._get_train_sampler, trainer.get_train_dataloader, trainer.args.world_size
    if not steps:
        trainer.args.max_steps = -1

    def sampler(*args: Any, **more: Any) -> Any:
        made = create(*args, **more)
        if isinstance(made, MultipackBatchSampler):
            whole(made, processes)
            _tell(len(made.lengths), len(made) * made.batch_size if processes > 1 else 0)
        elif made is not None and processes > 1 and not trainer.args.dataloader_drop_last:
            made = _batches(trainer, made)
            _tell(len(made.sampler), len(made))
        return made

    def loader() -> Any:
        even = trainer.accelerator.even_batches
        try:
            return load()
        finally:
            trainer.accelerator.even_batches = even  # a validation that is not packed would wait for ever without

    trainer._get_train_sampler, trainer.get_train_dataloader = sampler, loader


def _tell(rows: int, places: int) -> None:
    if places > rows:
        reason = "every process gets as many batches"
        LOG.warning(f"{places - rows} of {rows} rows are seen twice in each epoch: {reason}")


def _batches(trainer: Any, rows: Any) -> "Batches":
    trainer.accelerator.even_batches = False  # else batches that are not full would be filled up
    if deepspeed := trainer.accelerator.state.deepspeed_plugin:  # which cannot read it off such batches
        deepspeed.deepspeed_config["train_micro_batch_size_per_gpu"] = trainer._train_batch_size
    return Batches(rows, trainer._train_batch_size, trainer.args.world_size)


class Batches(BatchSampler):  # type: ignore[misc]
    """Batches of at most ``most`` rows, as many for every process: some are divided in two where the rows do not fill all.

    >>> list(Batches(range(5), 2, 2))
    [[0], [1], [2, 3], [4]]
    """

    def __init__(self, sampler: Any, most: int, processes: int) -> None:
        super().__init__(sampler, most, drop_last=False)
        self.most, self.planned = most, -(-len(sampler) // (most * processes)) * processes
        self.batch_size = None  # with a size, Accelerate holds back a batch that is smaller

    def __iter__(self) -> Iterator[list[int]]:
        rows = list(self.sampler)  # which Accelerate has replaced by then
        batches = [rows[at : at + self.most] for at in range(0, len(rows), self.most)]
        return iter(filled(divided(batches, self.planned), self.planned))

    def __len__(self) -> int:
        return self.planned


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
        if processes > 1:
            packs = filled(packs, planned * size)
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


def filled(packs: Sequence[list[int]], count: int) -> list[list[int]]:
    """Return ``count`` packs: where there are fewer, the first ones come again, or one process would wait for another for ever.

    >>> filled([[1], [2]], 3)
    [[1], [2], [1]]
    """
    return [*packs, *islice(cycle(packs), count - len(packs))]


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
