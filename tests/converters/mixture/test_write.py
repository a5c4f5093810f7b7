"""Writing a mixture takes no descriptor a shard."""

import resource
import subprocess
import sys
from pathlib import Path

from converters.schema import SPLITS

ROOT = Path(__file__).parents[3]
SHARDS, DESCRIPTORS = 1200, 40


def write(folder: Path) -> None:
    """Write a mixture of many shards of two rows, the second of which is repeated, with few descriptors to open.

    The rows of each second shard lie in files of parts.
    """
    import numpy as np

    from converters.mixture.plan.table import table
    from converters.mixture.write import write_splits
    from tests.converters import _columns

    shards = []
    for number in range(SHARDS):
        lines = [
            f'{{"id":"{number}-{n}","group":"g","task":"general","source":"general","messages":[]}}\n' for n in range(2)
        ]
        draws = [(2 * (SHARDS - number) - n) * 2**20 for n in range(2)]
        made = _columns.shard(folder / str(number), {"id": draws, "size": [*map(len, lines)]})
        shards.append(_columns.stored(made, [line.encode() for line in lines], 1 + number % 2 * 2))
    rows = table(shards, folder)
    rows.times = np.tile(np.array([1, 2], np.uint8), SHARDS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    write_splits(folder, rows, 0, [None] * SHARDS)


def test_more_shards_than_descriptors_are_written_in_the_order_of_their_draws(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.converters.mixture.test_write", str(tmp_path)], cwd=ROOT, check=True)
    ids = [line.split('"')[3] for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert len(ids) == 3 * SHARDS and sum(name.endswith("-1#2") for name in ids) == SHARDS
    once = [name for name in ids if "#" not in name]
    assert once == [f"{number}-{n}" for number in reversed(range(SHARDS)) for n in (1, 0)]
    assert not any((tmp_path / f"{name}.jsonl").stat().st_size for name in SPLITS[1:])


if __name__ == "__main__":
    write(Path(sys.argv[1]))
