"""A million predictions over as many categories as Google's taxonomy has, scored on the command line."""

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

CATEGORIES = 5595
WORDS = (
    "steel",
    "kettle",
    "with",
    "lid",
    "for",
    "the",
    "kitchen",
    "holds",
    "water",
    "hot",
    "handle",
    "easy",
    "red",
    "large",
)


def write(folder: Path, number: int) -> tuple[Path, Path]:
    """Write rows of a long-tailed catalogue and a run that is right in seven of ten; return both files."""
    draw = random.Random(0)
    paths = [
        " > ".join(f"{level}{n % (5 ** (depth + 1))}" for depth, level in enumerate("ABCD")) + f" > {n}"
        for n in range(CATEGORIES)
    ]
    gold = draw.choices(paths, [1 / (rank + 1) ** 0.7 for rank in range(CATEGORIES)], k=number)
    data, said = folder / f"test-{number}.jsonl", folder / f"said-{number}.jsonl"
    with data.open("w") as rows, said.open("w") as answers:
        for n, path in enumerate(gold):
            text = f"[CLASSIFY] Category path of this product:\nTitle: {' '.join(draw.choices(WORDS, k=40))}"
            turns = [{"role": "user", "content": text}, {"role": "assistant", "content": path}]
            row = {"id": f"shop:category:{n}", "group": f"asin:B{n // 2:09d}", "task": "category", "source": "shop"}
            rows.write(json.dumps({**row, "messages": turns, "meta": "{}"}) + "\n")
            chance = draw.random()
            answer = path if chance < 0.7 else draw.choice(paths) if chance < 0.98 else f"```\n{path}\n```"
            answers.write(json.dumps({"id": row["id"], "prediction": answer}) + "\n")
    return data, said


def score(folder: Path, number: int) -> tuple[float, float, int]:
    """Return the wall and processor seconds of ``ecom-eval score`` and its peak memory in MiB."""
    data, said = write(folder, number)
    files = ("--data", str(data), "--predictions", str(said), "--out", str(folder / "out"))
    command = [str(Path(sys.executable).with_name("ecom-eval")), "score", *files]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, used, after.ru_maxrss // 1024


def compare(folder: Path, number: int) -> None:
    """Print what it takes."""
    wall, used, peak = score(folder, number)
    print(
        f"score {number:,} predictions over {CATEGORIES:,} categories: {wall:,.0f} s ({used:,.0f} s of processor), "
        f"{peak:,} MiB at most"
    )
