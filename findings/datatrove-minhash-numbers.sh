#!/usr/bin/env bash
# datatrove 0.10.1, near-duplicates by MinHash with its default settings.
#
# Expected: rows that are equal letter by letter are duplicates, and rows that differ in all that tells two products apart are not.
# Happens:  the other way round. Before the words are compared each number becomes 0, so three bolts of different size, length and
#           pack are one text, and two are removed, whatever the buckets ask for. And a row of less than five words has no run of
#           five words, so it gets no signature: of equal short titles all are kept. Neither is logged.
# Matters:  the variants of a product differ in numbers alone: sizes, capacities, model numbers. All but one leave the training data,
#           and with them the very answers that a model for attributes should learn, while short titles stay in it double.
#           MinhashConfig(norm_config=TextNormConfig(norm_numbers=False)) keeps the variants; a smaller n_grams sees short rows.
# Since:    seen in 0.10.1, the newest release in November 2026; of what is made alike the step's docstring names the case, the
#           blanks and the punctuation, and then "etc.".
# Output:   three bolts: 1 kept, with norm_numbers=False 3; three equal titles of three words: 3 kept, of five words: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check datatrove==0.10.1 spacy==3.8.18 regex==2026.11.19 \
    xxhash==3.8.2 orjson==3.13.0 tokenizers==0.23.1 numpy==2.4.6
cd "$work"
cat >dedup.py <<'PY'
import json
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.text import TextNormConfig
from datatrove.utils.typeshelper import Languages


def kept(name: str, texts: list[str], config: MinhashConfig) -> int:
    """How many of the texts the four steps leave, as the project's own example puts them together."""
    place = Path(name).resolve()
    (place / "in").mkdir(parents=True)
    rows = (json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts))
    (place / "in" / "rows.jsonl").write_text("\n".join(rows))
    signatures, buckets, remove, left = (str(place / part) for part in ("signatures", "buckets", "remove", "left"))
    steps = [
        [JsonlReader(str(place / "in")), MinhashDedupSignature(signatures, config=config, language=Languages.english)],
        [MinhashDedupBuckets(signatures, buckets, config=config)],
        [MinhashDedupCluster(buckets, remove, config=config)],
        [JsonlReader(str(place / "in")), MinhashDedupFilter(remove), JsonlWriter(left, compression=None)],
    ]
    for number, step in enumerate(steps):
        tasks = config.num_buckets if number == 1 else 1
        LocalPipelineExecutor(pipeline=step, tasks=tasks, logging_dir=str(place / f"log{number}")).run()
    return sum(len(file.read_text().splitlines()) for file in Path(left).glob("*"))


if __name__ == "__main__":
    bolts = [
        "Hex bolt M6 x 20 mm, pack of 100",
        "Hex bolt M8 x 45 mm, pack of 50",
        "Hex bolt M12 x 120 mm, pack of 10",
    ]
    numbers = MinhashConfig(norm_config=TextNormConfig(norm_numbers=False))
    found = [
        kept("bolts", bolts, MinhashConfig()),
        kept("numbers", bolts, numbers),
        kept("short", ["Blue silk scarf"] * 3, MinhashConfig()),
        kept("long", ["Blue silk scarf for women"] * 3, MinhashConfig()),
    ]
    print(f"three bolts: {found[0]} kept, with norm_numbers=False {found[1]}; "
          f"three equal titles of three words: {found[2]} kept, of five words: {found[3]}")
    assert found == [1, 3, 3, 1]
PY
venv/bin/python dedup.py 2>log || { cat log; exit 1; }
