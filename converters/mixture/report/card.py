"""The card of a mixture: one page to read before spending GPU money, self-contained, drawn from the manifest and sample rows.

Everything that comes from data is data: the template is escaped, control characters are made visible.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.core.html import environment, share, visible
from converters.io.jsonl import replacing
from converters.mixture.manifest import DROPPED, forbids

CARD = "card.html"
COLOURS = 10
FEW = 200  # groups of a test split, below which an interval is some ten percent wide
FIRST = 15  # rows of a long table that are shown at once
UNCLEAR = ("none stated", "no licence stated", "research use")

Manifest = Mapping[str, Any]
Flag = tuple[str, str]


def write(path: Path, manifest: Manifest, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the page of a mixture from its manifest and a few rows of each task."""
    template = environment(__package__, size).get_template("card.html.j2")
    with replacing(path) as file:
        file.write(template.render(context(manifest, samples)).encode())


def size(number: float) -> str:
    """Return a number of bytes with its unit.

    >>> size(812), size(7_176_567)
    ('812 B', '6.8 MiB')
    """
    power = min(int(math.log2(max(number, 1)) // 10), 4)
    return f"{number / 1024**power:.1f} {'KMGT'[power - 1]}iB" if power else f"{number:.0f} B"


def context(manifest: Manifest, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what the template shows."""
    splits = manifest["splits"]
    train = splits["train"]
    sources, tasks = (sorted({name for s in splits.values() for name in s[key]}) for key in ("sources", "tasks"))
    return {
        "manifest": manifest,
        "splits": splits,
        "train": train,
        "flags": flags(manifest),
        "colours": {name: number % COLOURS for number, name in enumerate(sources)},
        "tasks": sorted(tasks, key=lambda name: -train["tasks"].get(name, 0)),
        "histograms": histograms(train["lengths"]),
        "curves": {task: curve(classes) for task, classes in train["classes"].items()},
        "samples": samples,
        "licences": licences(manifest),
        "first": FIRST,
    }


def licences(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Return source, licence and a warning: ``no`` (commercial use), ``unclear`` (terms), or nothing."""
    stated = sorted({(account["source"], account["licence"]) for account in manifest["sources"]})
    return [
        (name, text, "no" if forbids(text) else "unclear" if any(words in text for words in UNCLEAR) else "")
        for name, text in stated
    ]


def histograms(lengths: Mapping[str, Any]) -> dict[str, Any]:
    """Return bars in percent of a drawing whose axis is logarithmic and the same for all tasks, its ticks and the limit."""
    bins = {task: counts["histogram"] for task, counts in lengths["tasks"].items()}
    limit = lengths["sequence_len"] if lengths["tokenizer"] else None
    low = max(min((start for task in bins.values() for start, *_ in task), default=1), 1)
    high = max([stop for task in bins.values() for _, stop, _ in task] + [limit or 1, 2 * low]) * 1.1

    def at(value: float) -> float:
        return round(100 * math.log(max(value, low) / low) / math.log(high / low), 2)

    def bar(start: int, stop: int, rows: int, most: int) -> dict[str, float]:
        width, height = round(at(stop) - at(start), 2), 100 * rows / most
        return {"x": at(start), "width": width, "from": start, "below": stop, "rows": rows, "height": height}

    highest = {task: max(rows for _, _, rows in of_task) for task, of_task in bins.items()}
    bars = {
        task: [bar(start, stop, rows, highest[task]) for start, stop, rows in of_task] for task, of_task in bins.items()
    }
    ticks = [(4**power, at(4**power)) for power in range(1, 14) if low <= 4**power <= high]
    return {"bars": bars, "ticks": ticks, "limit": at(limit) if limit else None}


def curve(classes: Mapping[str, Any]) -> str:
    """Return class sizes over ranks, both logarithmic, as points of a 100 by 100 drawing."""
    right, top = math.log(max(2, classes["classes"])), math.log(max(2, classes["curve"][0][1]))
    points = [(100 * math.log(rank) / right, 100 - 100 * math.log(rows) / top) for rank, rows in classes["curve"]]
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def flags(manifest: Manifest) -> list[Flag]:
    """Return what a person should know first, each with its badge: ``bad``, ``warn`` or ``good``."""
    forbidden = ", ".join(name for name, _, warning in licences(manifest) if warning == "no")
    stop = f"Not for commercial use: the licence of {forbidden}, or of a part of it, forbids it."
    unclear = ", ".join(name for name, _, warning in licences(manifest) if warning == "unclear")
    clear = f"Terms to clear: {unclear} state no licence, or allow research use."
    warnings = [*_length_flags(manifest), *_class_flags(manifest), *_row_flags(manifest)]
    leaks = sum(manifest["leaks"].values())
    removed = f"{leaks:,} rows that would have been in two splits, or twice in one, were taken out."
    return [
        *([("bad", stop)] if forbidden else []),
        *(("warn", sentence) for sentence in ([clear] if unclear else []) + warnings),
        ("good", removed if leaks else "No row was found in two splits."),
    ]


def _length_flags(manifest: Manifest) -> Iterator[str]:
    train = manifest["splits"]["train"]
    lengths = train["lengths"]
    if not lengths["tokenizer"]:
        yield "Lengths are in characters: name a tokenizer in the specification to see them against sequence_len."
    elif over := lengths["over_sequence_len"]:
        yield (
            f"{over:,} training rows ({share(over, train['rows'])}) have more than {lengths['sequence_len']:,} tokens "
            "(sequence_len): Axolotl drops them."
        )
    of_rows, of_answers = train["general_share"], lengths["general_share_of_supervised"]
    if of_answers > 1.5 * of_rows or of_rows > 1.5 * of_answers:
        yield (
            f"General instructions are {share(of_rows)} of the training rows but {share(of_answers)} of the supervised "
            f"{lengths['unit']}: the loss sees the second figure."
        )


def _class_flags(manifest: Manifest) -> Iterator[str]:
    for task, classes in manifest["splits"]["train"]["classes"].items():
        if classes["with_one_row"] > 0.2 * classes["classes"]:
            yield f"{task}: {classes['with_one_row']:,} of {classes['classes']:,} classes have a single training row."
        name, rows = classes["largest"][0]
        if classes["classes"] > 2 and rows > 0.4 * classes["rows"]:
            yield f"{task}: one class is {share(rows, classes['rows'])} of the rows: “{_short(name)}”"
    for task, classes in manifest["splits"]["test"]["classes"].items():
        if unseen := classes["rows_unseen_in_training"]:
            yield f"{task}: {unseen:,} of {classes['rows']:,} test rows have a class that no training row has."


def _short(text: str, limit: int = 80) -> str:
    return visible(text[:limit]) + ("…" if len(text) > limit else "")


def _row_flags(manifest: Manifest) -> Iterator[str]:
    yield from (f"The {name} split is empty." for name, split in manifest["splits"].items() if not split["rows"])
    if (test := manifest["splits"]["test"])["rows"] and test["groups"] < FEW:
        yield (
            f"The test split has {test['groups']:,} products, queries or chats: differences of a few percent will not show. "
            "A larger share of test (splits) makes intervals narrower."
        )
    noted = [count for account in manifest["sources"] for count in account.get("noted", {}).items()]
    if hidden := sum(count for reason, count in noted if reason.startswith("not published")):
        yield f"{hidden:,} products are not published, and are in: the option unpublished=drop leaves them out."
    # A limit or a share that a specification sets is no fault of the raw file.
    lost = sum(count for reason, count in manifest["rejected"].items() if not reason.startswith(DROPPED))
    if lost > 0.05 * manifest["read"]:
        yield f"{lost:,} of {manifest['read']:,} raw rows ({share(lost, manifest['read'])}) were rejected; why is below."
    attributes = manifest["splits"]["train"]["attributes"]["most_asked"]
    if never := [_short(attribute["name"]) for attribute in attributes if not attribute["stated"]]:
        names = ", ".join(never[:5])
        yield f"{len(never)} attributes are asked for and never stated, so null is all there is to learn: {names}"
