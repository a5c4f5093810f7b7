"""The card of a mix: one page to look at before spending GPU money, self-contained, drawn from the manifest and sample rows.

Everything that comes from data is data: the template is written with autoescape, control characters are made visible.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from converters.io.jsonl import replacing
from converters.mixture.manifest import DROPPED, forbids

CARD = "card.html"
COLOURS = 10
FIRST = 15  # rows of a long table that are shown at once
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNCLEAR = ("none stated", "no licence stated", "research use")

Manifest = Mapping[str, Any]
Flag = tuple[str, str]


def write(path: Path, manifest: Manifest, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the page of a mix from its manifest and a few rows of each task."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"count": count, "share": share, "visible": visible, "size": size}
    page = environment.get_template("card.html.j2").render(context(manifest, samples))
    with replacing(path) as file:
        file.write(page.encode())


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def count(value: float) -> str:
    """Return a whole number for people.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,.0f}"


def share(part: float, whole: float = 1.0) -> str:
    """Return a percentage; what is small is not said to be nothing.

    >>> share(1, 8), share(0, 8), share(1, 100_000), share(1, 0)
    ('12.5 %', '0 %', '<0.1 %', '–')
    """
    if not whole:
        return "–"
    percent = 100 * part / whole
    return "0 %" if not part else "<0.1 %" if percent < 0.05 else f"{percent:.1f} %"


def visible(text: str) -> str:
    r"""Return text with its control characters as pictures.

    >>> visible("a\x00b")
    'a␀b'
    """
    return _CONTROL.sub(lambda found: chr(0x2400 + ord(found.group()) % 0x80 % 0x21), text)


def size(number: float) -> str:
    """Return bytes for people.

    >>> size(812), size(7_176_567)
    ('812 B', '6.8 MiB')
    """
    power = min(int(math.log2(max(number, 1)) // 10), 4)
    return f"{number / 1024**power:.1f} {'KMGT'[power - 1]}iB" if power else f"{number:.0f} B"


def context(manifest: Manifest, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what the template shows."""
    splits = manifest["splits"]
    train = splits["train"]
    sources = sorted({name for split in splits.values() for name in split["sources"]})
    return {
        "manifest": manifest,
        "splits": splits,
        "train": train,
        "flags": flags(manifest),
        "colours": {name: number % COLOURS for number, name in enumerate(sources)},
        "tasks": sorted({name for split in splits.values() for name in split["tasks"]}, key=_most(train["tasks"])),
        "histograms": histograms(train["lengths"]),
        "curves": {task: curve(found) for task, found in train["classes"].items()},
        "samples": samples,
        "licences": licences(manifest),
        "first": FIRST,
    }


def _most(counts: Mapping[str, int]) -> Callable[[str], tuple[int, str]]:
    return lambda name: (-counts.get(name, 0), name)


def licences(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Return source, licence and what to heed: ``no`` commercial use, ``unclear`` terms, or nothing."""
    stated = sorted({(account["source"], account["licence"]) for account in manifest["sources"]})
    return [(name, text, _heed(text)) for name, text in stated]


def _heed(licence: str) -> str:
    unclear = any(words in licence for words in _UNCLEAR)
    return "no" if forbids(licence) else "unclear" if unclear else ""


def histograms(lengths: Mapping[str, Any]) -> dict[str, Any]:
    """Return bars in percent of a drawing whose axis is logarithmic and the same for all tasks, its ticks and the limit."""
    bins = [one for found in lengths["tasks"].values() for one in found["histogram"]]
    limit = lengths["sequence_len"] if lengths["tokenizer"] else None
    low = max(min((start for start, *_ in bins), default=1), 1)
    high = max([stop for _, stop, _ in bins] + [limit or 1, 2 * low]) * 1.1
    at = partial(_place, low=low, high=high)
    bars = {task: [_bar(one, at) for one in found["histogram"]] for task, found in lengths["tasks"].items()}
    for found in bars.values():
        most = max(bar["rows"] for bar in found)
        for bar in found:
            bar["height"] = 100 * bar["rows"] / most
    ticks = [(4**power, at(4**power)) for power in range(1, 14) if low <= 4**power <= high]
    return {"bars": bars, "ticks": ticks, "limit": at(limit) if limit else None}


def _place(value: float, low: float, high: float) -> float:
    return round(100 * math.log(max(value, low) / low) / math.log(high / low), 2)


def _bar(one: Sequence[int], at: Callable[[float], float]) -> dict[str, float]:
    start, stop, rows = one
    return {"x": at(start), "width": round(at(stop) - at(start), 2), "from": start, "below": stop, "rows": rows}


def curve(found: Mapping[str, Any]) -> str:
    """Return class sizes over ranks, both logarithmic, as points of a 100 by 100 drawing."""
    right, top = math.log(max(2, found["classes"])), math.log(max(2, found["curve"][0][1]))
    points = [(100 * math.log(rank) / right, 100 - 100 * math.log(rows) / top) for rank, rows in found["curve"]]
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def flags(manifest: Manifest) -> list[Flag]:
    """Return what a person should know first, each with its badge: ``bad``, ``warn`` or ``good``."""
    found = [*_licence_flags(manifest), *_length_flags(manifest), *_class_flags(manifest), *_row_flags(manifest)]
    return found + _leak_flags(manifest)


def _licence_flags(manifest: Manifest) -> Iterator[Flag]:
    names = [name for name, _, heed in licences(manifest) if heed == "no"]
    if names:
        yield "bad", f"Not for commercial use: the licence of {', '.join(names)}, or of a part of it, forbids it."
    unclear = [name for name, _, heed in licences(manifest) if heed == "unclear"]
    if unclear:
        yield "warn", f"Terms to clear: {', '.join(unclear)} state no licence, or allow research use."


def _length_flags(manifest: Manifest) -> Iterator[Flag]:
    train = manifest["splits"]["train"]
    lengths = train["lengths"]
    if not lengths["tokenizer"]:
        yield (
            "warn",
            "Lengths are in characters: name a tokenizer in the specification to see them against sequence_len.",
        )
    elif over := lengths["over_sequence_len"]:
        yield (
            "warn",
            f"{over:,} training rows ({share(over, train['rows'])}) have more than {lengths['sequence_len']:,} tokens "
            "(sequence_len): Axolotl drops them.",
        )
    of_rows, of_answers = train["general_share"], lengths["general_share_of_supervised"]
    if of_answers > 1.5 * of_rows or of_rows > 1.5 * of_answers:
        yield (
            "warn",
            f"General instructions are {share(of_rows)} of the training rows but {share(of_answers)} of the supervised "
            f"{lengths['unit']}: the loss sees the second figure.",
        )


def _class_flags(manifest: Manifest) -> Iterator[Flag]:
    for task, found in manifest["splits"]["train"]["classes"].items():
        if found["with_one_row"] > 0.2 * found["classes"]:
            yield (
                "warn",
                f"{task}: {found['with_one_row']:,} of {found['classes']:,} classes have a single training row.",
            )
        name, rows = found["largest"][0]
        if found["classes"] > 2 and rows > 0.4 * found["rows"]:
            yield "warn", f"{task}: one class is {share(rows, found['rows'])} of the rows: “{_short(name)}”"
    for task, found in manifest["splits"]["test"]["classes"].items():
        if unseen := found["rows_unseen_in_training"]:
            yield (
                "warn",
                f"{task}: {unseen:,} of {found['rows']:,} test rows have a class that no training row has.",
            )


def _short(text: str, limit: int = 80) -> str:
    return visible(text[:limit]) + ("…" if len(text) > limit else "")


def _row_flags(manifest: Manifest) -> Iterator[Flag]:
    for name, split in manifest["splits"].items():
        if not split["rows"]:
            yield "warn", f"The {name} split is empty."
    # A limit or a share that a specification sets is no fault of the raw file.
    lost = sum(count for reason, count in manifest["rejected"].items() if not reason.startswith(DROPPED))
    if lost > 0.05 * manifest["read"]:
        yield (
            "warn",
            f"{lost:,} of {manifest['read']:,} raw rows ({share(lost, manifest['read'])}) were rejected; why is below.",
        )
    never = [one["name"] for one in manifest["splits"]["train"]["attributes"]["most_asked"] if not one["stated"]]
    if never:
        names = ", ".join(_short(name) for name in never[:5])
        yield (
            "warn",
            f"{len(never)} attributes are asked for and never stated, so null is all there is to learn: {names}",
        )


def _leak_flags(manifest: Manifest) -> list[Flag]:
    leaks = manifest["leaks"]
    total = sum(leaks.values())
    if not total:
        return [("good", "No row was found in two splits.")]
    return [("good", f"{total:,} rows that would have been in two splits, or twice in one, were taken out.")]
