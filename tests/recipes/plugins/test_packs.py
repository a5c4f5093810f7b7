"""No row twice in an epoch and none missed: Axolotl's own sampler, divided among processes by Accelerate."""

from typing import Any

import numpy as np
import pytest
from accelerate.data_loader import BatchSamplerShard, SeedableRandomSampler
from axolotl.utils.samplers.multipack import MultipackBatchSampler
from torch.utils.data import BatchSampler

from recipes.plugins import packs

ROWS = np.random.default_rng(5).integers(5, 60, 331)


def made(batch: int, lengths: Any = ROWS) -> MultipackBatchSampler:
    """Return a sampler as the trainer makes it, of 331 rows, with packs of 64 tokens; an epoch's order follows its number."""
    order = SeedableRandomSampler(range(len(lengths)), data_seed=3)
    return MultipackBatchSampler(
        order, batch_size=batch, batch_max_len=64, bin_size=64, lengths=lengths, drop_last=True, num_processes=1
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


@pytest.mark.parametrize("size", [40, 41, 47])
@pytest.mark.parametrize("processes", [2, 3, 4])
def test_rows_that_are_not_packed_are_seen_once_in_as_many_batches_for_each_process(processes: int, size: int) -> None:
    sampler = packs.Batches(range(size), 4, processes)
    shards = [list(BatchSamplerShard(sampler, processes, rank, even_batches=False)) for rank in range(processes)]
    assert sorted(row for shard in shards for batch in shard for row in batch) == list(range(size))
    assert {len(shard) for shard in shards} == {len(sampler) // processes}
    assert {len(batch) for shard in shards for batch in shard} <= {1, 2, 3, 4}


def test_without_it_accelerate_repeats_rows_that_are_not_packed() -> None:
    shards = [BatchSamplerShard(BatchSampler(range(41), 4, False), 2, rank) for rank in (0, 1)]
    assert len([row for shard in shards for batch in shard for row in batch]) == 48


@pytest.mark.parametrize("packed", [True, False])
def test_no_process_waits_for_another_where_rows_are_too_few(packed: bool) -> None:
    """Seven rows that each fill a pack or a batch of their own: the first is seen twice."""
    sampler = made(1, np.full(7, 60)) if packed else packs.Batches(range(7), 1, 2)
    if packed:
        packs.whole(sampler, 2)
    shards = [BatchSamplerShard(sampler, 2, rank, even_batches=False) for rank in (0, 1)]
    batches = [np.ravel(list(shard)).tolist() for shard in shards]
    assert [len(seen) for seen in batches] == [4, 4] and {*batches[0], *batches[1]} == set(range(7))
