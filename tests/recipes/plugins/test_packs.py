"""No row twice in an epoch and none missed: Axolotl's own sampler, divided among processes by Accelerate."""

from typing import Any

import numpy as np
import pytest
from accelerate.data_loader import BatchSamplerShard, SeedableRandomSampler
from axolotl.utils.samplers.multipack import MultipackBatchSampler

from recipes.plugins import packs

ROWS = np.random.default_rng(5).integers(5, 60, 331)


def made(batch: int) -> MultipackBatchSampler:
    """Return a sampler as the trainer makes it of 331 rows, with packs of 64 tokens; an epoch's order follows its number."""
    order = SeedableRandomSampler(range(len(ROWS)), data_seed=3)
    return MultipackBatchSampler(
        order, batch_size=batch, batch_max_len=64, bin_size=64, lengths=ROWS, drop_last=True, num_processes=1
    )


def epoch(sampler: MultipackBatchSampler, number: int, processes: int) -> list[list[list[list[int]]]]:
    """Return the batches of each process in an epoch, as Accelerate hands them out."""
    shards = [BatchSamplerShard(sampler, processes, rank, even_batches=False) for rank in range(processes)]
    found = []
    for shard in shards:
        sampler.set_epoch(number)
        sampler.sampler.set_epoch(number)
        found.append(list(shard))
    return found


def rows(batches: Any) -> list[int]:
    return sorted(row for process in batches for batch in process for pack in batch for row in pack)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_every_epoch_has_every_row_once_and_every_process_as_many_batches(batch: int, processes: int) -> None:
    sampler = made(batch)
    packs.whole(sampler, processes)
    for number in range(3):
        found = epoch(sampler, number, processes)
        assert rows(found) == list(range(len(ROWS)))
        assert {len(process) for process in found} == {len(sampler) // processes}
        taken = [pack for process in found for each in process for pack in each]
        assert max(int(ROWS[pack].sum()) for pack in taken) <= 64 and all(len(b) == batch for p in found for b in p)


def test_without_it_some_rows_of_an_epoch_are_left_out() -> None:
    """Which is why it is done: with 4 processes the last packs go to none, and an epoch keeps as many as the smallest had."""
    assert any(set(rows(epoch(made(1), number, 4))) < set(range(len(ROWS))) for number in range(3))


def test_rows_that_are_not_packed_are_repeated_by_accelerate_as_told() -> None:
    from torch.utils.data import BatchSampler

    for size in (40, 41, 47):
        shards = [BatchSamplerShard(BatchSampler(range(size), 4, False), 2, rank) for rank in (0, 1)]
        seen = [row for shard in shards for batch in shard for row in batch]
        assert len(seen) - size == packs.repeated(size, 4, 2) and set(seen) == set(range(size))
