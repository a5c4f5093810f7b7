"""Writing a mixture takes no descriptor a shard."""

import resource
import subprocess
import sys
from pathlib import Path

from converters.schema import SPLITS

SHARDS, DESCRIPTORS = 1200, 40


def write(folder: Path) -> None:
    """Write a mixture of many shards of two rows, the second of which is repeated, with few descriptors to open."""
    import numpy as np
    import pandas as pd

    from converters.mixture.shards import Shard
    from converters.mixture.spec import Entry
    from converters.mixture.write import write_splits

    shards, sizes = [], []
    for number in range(SHARDS):
        place = folder / str(number)
        place.mkdir()
        lines = [
            f'{{"id":"{number}-{n}","group":"g","task":"general","source":"general","messages":[]}}\n' for n in range(2)
        ]
        (place / "rows.jsonl").write_text("".join(lines))
        sizes += map(len, lines)
        shards.append(Shard(Entry(source="general", paths=[]), place, 2, 2, 2, *({} for _ in range(3))))  # type: ignore
    rows = pd.DataFrame(
        {"id": np.arange(2 * SHARDS, dtype=np.uint64)[::-1] * 2**20, "size": np.array(sizes, np.uint32)}
    )
    rows = rows.assign(split=np.int8(0), times=np.tile([1, 2], SHARDS).astype(np.int32))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    write_splits(folder, rows, shards, 0, [None] * SHARDS)


def test_more_shards_than_descriptors_are_written_in_the_order_of_their_draws(tmp_path: Path) -> None:
    subprocess.run([sys.executable, __file__, str(tmp_path)], check=True)
    ids = [line.split('"')[3] for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert len(ids) == 3 * SHARDS and sum(name.endswith("-1#2") for name in ids) == SHARDS
    once = [name for name in ids if "#" not in name]
    assert once == [f"{number}-{n}" for number in reversed(range(SHARDS)) for n in (1, 0)]
    assert not any((tmp_path / f"{name}.jsonl").stat().st_size for name in SPLITS[1:])


if __name__ == "__main__":
    write(Path(sys.argv[1]))
