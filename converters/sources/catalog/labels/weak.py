"""Marks that names hold, too, such as the comma: where they part paths, where they are of a name, and where it cannot be told."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from converters.sources.catalog.labels.paths import ARROW, pieces, split
from converters.sources.catalog.labels.reading import Reading
from converters.sources.google_taxonomy import Category

WEAK = (",", "，", "、", "،")
FEW = 0.1  # share of rows
ROUNDS = 3
Texts = Mapping[str, int]  # what cells hold, with the number of rows


def read_weak(texts: Texts, reading: Reading, titled: Set[str]) -> tuple[Reading, list[str]]:
    """Return a reading with the weak marks that part paths in some cells, and sentences on all that cells hold."""
    lines = list[str]()
    for mark in WEAK:
        holding = {text: count for text, count in texts.items() if holds(text, mark)}
        if not holding or mark == reading.separator:
            continue
        rows, trial = sum(holding.values()), _learned(holding, replace(reading, weak=(mark,)))
        parted = sum(count for text, count in holding.items() if len(trial.paths(text)[0]) > 1)
        tails = _tails(holding.keys() - titled, mark, reading)
        doubtful = sum(
            count for text, count in holding.items() if begins(text, mark, trial) or _last(text, mark) in tails
        )
        example, advice = next(iter(holding))[:60], f"--option several={mark!r}"
        if not parted and not doubtful:
            lines.append(
                f"category: {hold(rows)} {mark!r}, such as {example!r}: read as part of a name; if it is between paths, give "
                f"{advice}{or_nodes(reading, texts, repr(mark))}"
            )
            continue
        reading = replace(
            reading,
            weak=(*reading.weak, mark),
            known=trial.known,
            roots=trial.roots,
            strict=max(parted, doubtful) >= FEW * rows,
            tails=reading.tails | tails,
        )
        unclear = sum(count for text, count in holding.items() if reading.paths(text)[1])
        kept = f"read as several paths in {parted:,}, where each part is another row's label or begins like one, and "
        lines.append(
            f"category: {hold(rows)} {mark!r}: {kept * bool(parted)}{unclear:,} cannot be told from one name and are left out; "
            f"if it always parts paths, give {advice}, if never, --option 'several=[]'"
        )
    return reading, lines


def _learned(texts: Texts, trial: Reading) -> Reading:
    """Return a reading that also knows the paths of the cells that it can part."""
    for _ in range(ROUNDS):
        found = {path for text in texts if len(paths := trial.paths(text)[0]) > 1 for path in paths}
        known = trial.known | {path[:depth] for path in found for depth in range(1, len(path) + 1)}
        if known == trial.known:
            break
        trial = replace(trial, known=known, roots=trial.roots | {path[0] for path in found})
    return trial


def begins(text: str, mark: str, trial: Reading) -> bool:
    """Tell whether a part after the first is a path of two or more nodes that begins as another one does."""
    first, *others = (trial.nodes(part) for part in split(text, (mark,)) if part)
    return any(len(path) > 1 and (path[0] in trial.roots or path[:1] == first[:1]) for path in others)


def _tails(texts: Iterable[str], mark: str, trial: Reading) -> frozenset[str]:
    """Return the single names that end cells after several paths, as "Sale" does: they hardly are part of all these names."""
    firsts = defaultdict[str, set[Category]](set)
    for text in texts:
        tail = _last(text, mark)
        whole = len(trial.nodes(tail)) == 1 and not tail.endswith(("...", "…", ")"))
        if whole and len(first := trial.nodes(split(text, (mark,))[0])) > 1:
            firsts[tail].add(first)
    return frozenset(tail for tail, paths in firsts.items() if len(paths) > 1)


def _last(text: str, mark: str) -> str:
    return [part for part in split(text, (mark,)) if part][-1]


def ending(texts: Texts, titles: Mapping[str, str]) -> frozenset[str]:
    """Return the texts of cells that hold the title of their product."""
    titled = {piece: title for cell, title in titles.items() if title for piece in pieces(cell)}
    return frozenset(text for text in texts if titled.get(text, "\0").casefold() in text.casefold())


def hold(rows: int) -> str:
    """Say of a number of rows that they hold something."""
    return f"{rows:,} row{'s' * (rows != 1)} hold{'s' * (rows == 1)}"


def holds(text: str, mark: str) -> bool:
    """Tell whether a mark parts a text."""
    return mark in text and sum(map(bool, split(text, (mark,)))) > 1


def or_nodes(reading: Reading, texts: Texts, mark: str) -> str:
    """Say that a mark may part nodes, where no other one does."""
    alone = not (reading.separator or reading.mark or any(map(ARROW.search, texts)))
    return f"; if between the nodes of one, --option separator={mark}" * alone
