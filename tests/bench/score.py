"""Scoring, the report and a comparison, on the command line against the build before: the same files in less time and memory."""

import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import goals
from tests.bench.before import BEFORE, Took, took

CATEGORIES = 5595
SEVERAL = 200_000
OF_ANSWERS = 20_000  # rows of attributes and of answers: they cost ten times as much each
NO_WORSE = 0.95  # of a ratio, for a few MiB of code and the noise of a shared machine
SECONDS, LIMIT = 180, 1024  # of a comparison, and MiB of anything, with a million rows
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
ODD = (*WORDS, "<b>1.5</b>", "L", "</s>", "容量", "&amp;", "|", "it's", "[1]")
FILES = {
    "score": ["rows.jsonl", "scores.json", "report.html", "report.md"],
    "compare": ["compare.json", "compare.html", "compare.md"],
}
_HASH = re.compile(rb"[0-9a-f]{64}")  # the scorer's own hash differs between builds, and with it those of files


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
            rows.write(_row("category", n, text, path, {}))
            chance = draw.random()
            answer = path if chance < 0.7 else draw.choice(paths) if chance < 0.98 else f"```\n{path}\n```"
            answers.write(json.dumps({"id": f"shop:category:{n}", "prediction": answer}) + "\n")
    return data, said


def _row(task: str, number: int, prompt: str, target: str, meta: dict[str, object]) -> str:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": target}]
    row = {"id": f"shop:{task}:{number}", "group": f"asin:B{number // 2:09d}", "task": task, "source": "shop"}
    return json.dumps({**row, "messages": turns, "meta": json.dumps(meta)}, ensure_ascii=False) + "\n"


def write_records(folder: Path, number: int) -> tuple[Path, Path]:
    """Write rows of attributes with odd texts, and a run whose JSON is broken or fenced now and then."""
    draw = random.Random(3)
    names = ["Brand", "Color", "Size", "Material", "Fit <i>", "容量"]
    data, said = folder / f"records-{number}.jsonl", folder / f"records-said-{number}.jsonl"

    def value() -> object:
        one, other = (f"{draw.choice(ODD)} {draw.randrange(3000)}" for _ in range(2))
        return draw.choices([None, one, [one, other]], [4, 5, 1])[0]

    with data.open("w") as rows, said.open("w") as answers:
        for n in range(number):
            record = {name: value() for name in draw.sample(names, 5)}
            text = f"[EXTRACT] {' '.join(draw.choices(ODD, k=40))}"
            rows.write(_row("attributes", n, text, json.dumps(record), {"attributes": list(record)}))
            told = json.dumps({name: old if draw.random() < 0.75 else value() for name, old in record.items()})
            odd: list[object] = [f"```json\n{told}\n```", "", {"a": [1]}, "Brand: Acme", "no </s> <b>", None]
            answer = told if draw.random() < 0.95 else draw.choice(odd)
            answers.write(json.dumps({"id": f"shop:attributes:{n}", "prediction": answer}) + "\n")
    return data, said


def write_answers(folder: Path, number: int) -> tuple[Path, Path]:
    """Write questions with snippets and references, and a run that changes words, abstains, or cites without an answer."""
    draw = random.Random(4)
    data, said = folder / f"answers-{number}.jsonl", folder / f"answers-said-{number}.jsonl"
    none = "The snippets do not say."
    with data.open("w") as rows, said.open("w") as answers:
        for n in range(number):
            snippets = [" ".join(draw.choices(ODD, k=20)).replace("[1]", "") for _ in range(3)]
            asked = f"[QA] Answer from the snippets.\nQuestion: Is it {draw.choice(WORDS)}?\n"
            words = snippets[0].split()[: draw.randint(3, 12)]
            target = none if draw.random() < 0.25 else f"{' '.join(words)} [1]"
            prompt = asked + "\n".join(f"[{place}] {text}" for place, text in enumerate(snippets, 1))
            rows.write(_row("answer", n, prompt, target, {"references": [" ".join(words[:3])], "relevant_ranks": [2]}))
            changed = " ".join(word if draw.random() < 0.7 else draw.choice(ODD) for word in words)
            answer = draw.choice([target, none, f"{changed} [2]", f"{changed} [2]", "[1]", None])
            answers.write(json.dumps({"id": f"shop:answer:{n}", "prediction": answer}) + "\n")
    return data, said


def changed(said: Path) -> Path:
    """Write another run's answers beside ``said``: one in ten is that of another row."""
    draw, other = random.Random(1), said.with_name(f"other-{said.name}")
    lines = [json.loads(line) for line in said.open()]
    spoken = [line["prediction"] for line in lines]
    with other.open("w") as answers:
        for line in lines:
            swapped = draw.choice(spoken) if draw.random() < 0.1 else line["prediction"]
            answers.write(json.dumps({"id": line["id"], "prediction": swapped}) + "\n")
    return other


def sides(folder: Path, data: Path, said: Path, with_before: bool = True) -> dict[str, list[Took]]:
    """Return what scoring one run, and comparing it with another, takes before and now; the files must be the same."""
    found: dict[str, list[Took]] = {"score": [], "compare": []}
    second, builds = changed(said), (BEFORE, None) if with_before else (None,)
    for commit in builds:
        place = folder / ("before" if commit else "now")
        for name, answers in (("run", said), ("other", second)):
            arguments = ("--data", data, "--predictions", answers, "--out", place / name)
            found["score"].append(took("eval", "score", *arguments, commit=commit))
        found["score"].pop()  # the second run is only there to be compared
        runs = (place / "run", place / "other")
        found["compare"].append(took("eval", "compare", *runs, "--out", place / "compare", commit=commit))
    for command, inside in (("score", "run"), ("compare", "compare")):
        for file in FILES[command] if with_before else []:
            texts = (_HASH.sub(b"", (folder / side / inside / file).read_bytes()) for side in ("before", "now"))
            assert next(texts) == next(texts), f"{command} writes another {file}"
    for side in ("before", "now"):
        shutil.rmtree(folder / side, ignore_errors=True)
    return found


def compare(folder: Path, number: int) -> None:
    """Print what each takes with ``number`` rows of categories, with fewer, and with rows of other kinds."""
    for rows in (SEVERAL, number):
        print(f"{rows:,} predictions over {CATEGORIES:,} categories, processor time:")
        found = sides(folder, *write(folder, rows))
        for command, (before, now) in found.items():
            goals.told(f"  {command}", before.processor, now.processor, "s", 2.0)
    goals.bound(f"  compare of {number:,}, wall time", found["compare"][1].wall, "s", SECONDS)
    for command, (before, now) in found.items():
        print(f"  {command}: {before.memory:,} MiB before")
        goals.bound(f"  {command} of {number:,}, memory", now.memory, "MiB", LIMIT)
    others: dict[str, Callable[[Path, int], tuple[Path, Path]]] = {"records": write_records, "answers": write_answers}
    for kind, make in others.items():
        for command, (before, now) in sides(folder, *make(folder, OF_ANSWERS)).items():
            goals.told(f"{OF_ANSWERS:,} {kind}, {command}, processor", before.processor, now.processor, "s", NO_WORSE)
            goals.told(f"{OF_ANSWERS:,} {kind}, {command}, memory", before.memory, now.memory, "MiB", NO_WORSE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        compare(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
