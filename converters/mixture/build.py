"""Builds a mix: convert every entry, decide what goes where, write the splits with the manifest, all of them or none.

Converted parts lie in a hidden folder beside the mix until it is finished, so an interrupted build goes on where it stopped.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from converters import sources
from converters.core.errors import InputError
from converters.io.files import missing
from converters.io.jsonl import locked, replacing, write_json
from converters.mixture import plan
from converters.mixture.convert import convert, mapped, units
from converters.mixture.manifest import account, counted, each, listed, manifest, need_rows
from converters.mixture.plan import apart
from converters.mixture.report import card, stats
from converters.mixture.shards import TEMPORARY, Converted, Part, collected, load
from converters.mixture.spec import Entry, Spec
from converters.mixture.write import write_in_order, write_splits
from converters.schema import MANIFEST
from converters.text.lengths import ruler

Tick = Callable[[int], object]
ASIDE = ".old"


def build(
    spec: Spec, out: Path, workers: int, rejects: bool, tick: Tick, measuring: Tick = lambda rows: None
) -> dict[str, Any]:
    """Write ``train.jsonl``, ``validation.jsonl``, ``test.jsonl``, the card and the manifest into ``out``; return the manifest.

    With ``rejects``, ``rejects.jsonl`` has every raw row that was not used. ``tick`` hears of the raw rows read so far,
    ``measuring`` of the written rows that were looked at. No byte depends on the number of ``workers``.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise InputError(f"{out}: is not a mix (it has no {MANIFEST}); choose a new folder")
    from converters.mixture import finalize  # brings scipy, and the command line starts without it

    lengths = ruler(spec.tokenizer, workers)  # fails here on a wrong tokenizer, not after an hour's work
    need_files(spec.sources)
    with _parts(out) as work:
        converted = _convert_all(spec.sources, spec.seed, work, workers, tick)
        for entry in converted:
            need_rows(entry)
        rows = plan.table(converted)
        plan.decide(rows, spec)
        apart(rows, converted, spec.near_duplicates)
        plan.finish(rows, spec)
        folder = Path(tempfile.mkdtemp(dir=work, prefix=TEMPORARY))
        last = finalize.prepare(rows, converted, spec)
        write_splits(folder, rows, converted, spec.seed, [last.finish(entry) for entry in spec.sources])
        if rejects:
            write_rejects(folder / "rejects.jsonl", converted, plan.reason_codes(rows), plan.REASONS)
        statistics, samples = stats.of_mix(folder, rows, spec, lengths, measuring)
        record = manifest(rows, converted, spec, folder, statistics)
        for name, recall in finalize.recalls(last).items():
            record["splits"][name]["shortlist_recall"] = recall
        write_json(folder / MANIFEST, record)
        card.write(folder / card.CARD, record, samples)
        _swap(folder, out)
    return record


def need_files(entries: Sequence[Entry]) -> None:
    """Stop with all raw files that are missing, a line each with the source and its page, not with the first one alone."""
    absent = [(text, entry.source) for entry in entries for text in missing(entry.paths)]
    if absent:
        lines = dict.fromkeys(f"  {text} ({source}: {sources.get(source).URL})" for text, source in absent)
        raise InputError(
            f"{len(lines)} of the specification's raw files or folders are missing:\n"
            + "\n".join(lines)
            + "\nget them from these pages, or delete from the specification the sources that you do not have"
        )


def alone(entry: Entry, out: Path, workers: int, rejects: Path | None, tick: Tick) -> dict[str, Any]:
    """Write the rows of one entry into ``out`` and their account beside it; return the account.

    ``rejects`` are written even where no row at all can be used: they say why.
    """
    with _parts(out) as work:
        [converted] = _convert_all([entry], 0, work, workers, tick)
        ids = np.concatenate([part.ids() for part in converted.parts])
        again = pd.Series(ids).duplicated().to_numpy()
        why = again.astype(np.int8) - np.int8(1)  # KEPT, or 0: the only reason
        if rejects:
            write_rejects(rejects, [converted], why, [plan.SAME])
        need_rows(converted)
        write_in_order(out, converted, ~again)
        repeated = Counter({plan.SAME: int(again.sum())} if again.any() else {})
        left = counted(converted.parts, why, [plan.SAME])
        found = account(converted, left) | {"dropped": dict(converted.dropped + repeated), "rows": int((~again).sum())}
        write_json(out.with_name(out.name + ".manifest.json"), found)
    return found


@contextmanager
def _parts(out: Path) -> Iterator[Path]:
    """Lock the folder of converted parts beside ``out``; remove it on success, or on failure if no part has rows."""
    work = out.with_name(f".{out.name}.parts")
    work.mkdir(parents=True, exist_ok=True)
    with locked(work / "lock", out):
        try:
            _swept(work, out)
            yield work
        except BaseException:
            if not any(found.examples for path in work.glob("*/part.json") if (found := load(path.parent))):
                shutil.rmtree(work, ignore_errors=True)
            raise
        for path in work.glob("*/part.json"):  # first, so that a kill in between leaves no part that seems to be whole
            path.unlink()
        shutil.rmtree(work)


def _swept(work: Path, out: Path) -> None:
    for left in work.glob(f"{TEMPORARY}*"):
        if left.name.endswith(ASIDE) and not out.exists():
            left.rename(out)  # the command before was killed between the two steps of _swap
        else:
            shutil.rmtree(left)


def _convert_all(entries: Sequence[Entry], seed: int, folder: Path, workers: int, tick: Tick) -> list[Converted]:
    todo = [unit for number, entry in enumerate(entries) for unit in units(number, entry, seed)]
    shards: list[list[Part]] = [[] for _ in entries]
    for unit, part in zip(todo, mapped(partial(convert, folder=folder), todo, workers, tick), strict=True):
        shards[unit.number].append(part)
    return [collected(entry, parts) for entry, parts in zip(entries, shards, strict=True)]


def write_rejects(path: Path, converted: Sequence[Converted], why: plan.Codes, reasons: Sequence[str]) -> None:
    """Write ``{"where", "reason"}`` of every raw row that was not used, one a line; ``why`` is as in a mix's table.

    A line of several raw rows that were gathered in one says with ``rows`` how many.
    """
    parts = [part for entry in converted for part in entry.parts]
    with replacing(path) as file:
        for part, here in each(parts, why):
            with part.rejects.open("rb") as source:
                shutil.copyfileobj(source, file)
            for where, reason, rows in listed(part, here, reasons):
                more = {"rows": rows} if rows > 1 else {}
                file.write(msgspec.json.encode({"where": where, "reason": reason} | more) + b"\n")


def _swap(folder: Path, out: Path) -> None:
    # A folder cannot be renamed over a full one: the old mix steps aside first and goes last.
    folder.chmod(0o755)
    old = folder.with_name(folder.name + ASIDE)
    if out.exists():
        out.rename(old)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)
