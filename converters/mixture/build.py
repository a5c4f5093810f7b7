"""Builds a mixture: convert every entry, decide what goes where, write the splits with the manifest, all of them or none.

Shards lie in a hidden folder beside the mixture until it is finished, so an interrupted build goes on where it stopped.
"""

import json
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, compress
from pathlib import Path
from typing import Any

import msgspec

from converters import sources
from converters.core.console import Pool, Tick, pool_of, silent
from converters.core.errors import InputError
from converters.io import describe, expand
from converters.io.files import is_hub, missing
from converters.io.jsonl import replacing, write_json
from converters.mixture import finalize, ids, near
from converters.mixture.convert import convert_all, forget, processes, shares
from converters.mixture.convert.shares import Converted, Share
from converters.mixture.manifest import account, inputs, manifest, need_rows, row_counts, write_mapping, write_rejects
from converters.mixture.plan import decisions
from converters.mixture.plan.table import kept, table
from converters.mixture.report import card, stats
from converters.mixture.shards import TEMPORARY
from converters.mixture.spec import Entry, Spec, chosen_tasks
from converters.mixture.write import write_splits
from converters.schema import MANIFEST, SPLITS
from converters.text.lengths import ruler

ASIDE = ".old"
Engine = Callable[[Path], Pool]


def build(
    spec: Spec,
    out: Path,
    workers: int,
    rejects: bool,
    tick: Tick,
    measuring: Tick = silent,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Write ``train.jsonl``, ``validation.jsonl``, ``test.jsonl``, the card and the manifest into ``out``; return the manifest.

    With ``rejects``, ``rejects.jsonl`` has every raw row that was not used. ``tick`` hears of the raw rows read so far,
    ``measuring`` of the written rows measured so far. No byte depends on the number of ``workers``, nor on an ``engine``: given
    a folder that all of its machines see, it returns what does their work.
    """
    _need_mixture(out)
    lengths = ruler(spec.tokenizer, workers)  # fails here on a wrong tokenizer, not after an hour's work
    spec = msgspec.structs.replace(spec, sources=needed(spec))
    need_files(spec.sources)
    workers = processes(spec.sources, workers)
    with _cache(out) as work:
        is_shared, hashing = engine is not None or workers > 1, list[Iterator[dict[str, Any]]]()
        files = dict.fromkeys(chain.from_iterable(expand(entry.paths) for entry in spec.sources))

        def many() -> AbstractContextManager[Pool]:
            return nullcontext(engine(work)) if engine else pool_of(workers)

        def hash_raw() -> None:
            hashing.append(pool(describe, files))

        # Those that convert have their memory in pieces in the end: what follows would take them a quarter longer.
        with many() as pool:
            # Other processes hash the raw files while the last units are merged, and while this one decides.
            with many() as converting:
                several = converting if is_shared else None
                shards = convert_all(spec.sources, spec.seed, work, tick, several, hash_raw)
            for shard in shards:
                need_rows(shard)
            forgetting = pool(forget, [work])  # beside deciding, too
            folder = Path(tempfile.mkdtemp(dir=work, prefix=TEMPORARY))
            columns = Path(tempfile.mkdtemp(dir=work, prefix=TEMPORARY))
            rows = table(shards, columns)
            decisions.decide(rows, spec)
            ids.tell_apart(rows, spec)
            near.drop_near_duplicates(rows, spec.near_duplicates, pool if is_shared else None)
            decisions.finish(rows, spec)
            last = finalize.prepare(rows, spec)
            finishes = [ids.finish(rows, number, last.finish(entry)) for number, entry in enumerate(spec.sources)]
            write_splits(folder, rows, spec.seed, finishes, pool)
            written = pool(describe, [folder / f"{name}.jsonl" for name in SPLITS])
            if rejects:
                write_rejects(folder / "rejects.jsonl", rows)
            statistics, samples = stats.of_mix(folder, rows, spec, lengths, measuring, pool)
            deque(forgetting, 0)
            hashed = {found["name"]: found for found in chain.from_iterable(hashing)}
            raw = [hashed.get(str(path)) or describe(path) for shard in shards for path in inputs(shard)]
            record = manifest(rows, spec, raw, written, statistics)
            for name, recall in last.recalls().items():
                record["splits"][name]["shortlist_recall"] = recall
            del rows, last, finishes  # what was decided of each row makes room for the card
            for number, shard in enumerate(shards, 1):
                write_mapping(folder / f"mapping-{number}.yaml", shard)
            write_json(folder / MANIFEST, record)
            card.write(folder / card.CARD, record, samples)
            _swap(folder, out)
    return record


def build_share(spec: Spec, out: Path, share: Share, workers: int, tick: Tick) -> Converted:
    """Convert a share of a mixture's raw rows into the hidden folder beside ``out``, where :func:`build` finds them."""
    _need_mixture(out)
    entries = needed(spec)
    need_files(entries)
    with shares.at_work(_parts(out), out, share):
        return shares.convert_share(entries, spec.seed, _parts(out), share, workers, tick)


def remarks(spec: Spec, out: Path) -> list[str]:
    """Return a sentence for each share of a mixture that :func:`build` has to convert though others were converted before."""
    _need_mixture(out)
    return shares.remarks(needed(spec), spec.seed, _parts(out))


def _need_mixture(out: Path) -> None:
    if out.exists() and not (out / MANIFEST).is_file():
        raise InputError(f"{out}: is not a mixture (it has no {MANIFEST}); choose a new folder")
    if not out.name:
        raise InputError(
            f"{out}: a mixture is put in its folder's place when it is finished; name it from the folder above"
        )


def needed(spec: Spec) -> list[Entry]:
    """Return the entries of a mixture without general ones that it has no use for: their share is 0, their files are missing."""
    entries = (
        spec.sources if spec.general_share else [e for e in spec.sources if not (_general(e) and missing(e.paths))]
    )
    return entries or spec.sources


def _general(entry: Entry) -> bool:
    return not entry.replays and chosen_tasks(entry) == ["general"]


def need_files(entries: Sequence[Entry]) -> None:
    """Raise an ``InputError`` that lists all missing raw files, each with its source and the page to get it from."""
    absent = [(text, entry.source) for entry in entries for text in missing(entry.paths)]
    if absent:
        lines = dict.fromkeys(f"  {text} ({source}: {sources.get(source).URL})" for text, source in absent)
        without = " (--set general_share=0 does without general instructions)"
        advice = without * any(_general(entry) and missing(entry.paths) for entry in entries)
        raise InputError(
            f"{len(lines)} of the specification's raw files or folders are missing:\n"
            + "\n".join(lines)
            + f"\nget them from these pages, or delete from the specification the sources that you do not have{advice}"
        )


def alone(entry: Entry, out: Path, workers: int, rejects: Path | None, tick: Tick) -> dict[str, Any]:
    """Write the rows of one entry into ``out`` and their account beside it; return the account.

    ``rejects`` are written even where no row at all can be used: they say why.
    """
    _spare(entry, [out, *([rejects] if rejects else [])])
    mapping = entry.options.get("mapping")
    given = Path(mapping) if isinstance(mapping, str) else None
    with _cache(out) as work:
        with pool_of(number := processes([entry], workers)) as pool:
            [shard] = convert_all([entry], 0, work, tick, pool if number > 1 else None)
        rows = table([shard], work)
        ids.of_entry(rows, 0)
        if rejects:
            write_rejects(rejects, rows)
        need_rows(shard)
        with replacing(out) as file:
            file.writelines(ids.lines(rows))
        record = account(rows, 0, list(map(describe, inputs(shard)))) | {"rows": int(kept(rows).sum())}
        record |= row_counts(compress(shard.lines(), kept(rows)))
        if given is None or given.resolve() != mapping_of(out).resolve():  # which the user has edited, with comments
            write_mapping(mapping_of(out), shard)
        write_json(out.with_name(out.name + ".manifest.json"), record)
    return record


def mapping_of(out: Path) -> Path:
    """Return the file that the options of a conversion are written to."""
    return out.with_name(out.name + ".mapping.yaml")


def _spare(entry: Entry, outs: Sequence[Path]) -> None:
    """Raise an ``InputError`` where what is to be written is a folder, or a file that is read."""
    read = [path for path in expand(entry.paths) if not is_hub(path)]
    read += sources.option_files(entry.source, entry.options)
    names = {path.resolve() for path in read}
    for out in outs:
        if out.is_dir():
            raise InputError(f"{out}: is a folder: name the file to write, such as {out / 'shop.jsonl'}")
        if out.resolve() in names:
            raise InputError(f"{out}: is read and would be overwritten: write to another file")


@contextmanager
def _cache(out: Path) -> Iterator[Path]:
    """Lock the folder of shards beside ``out``; remove it on success, or on failure if no shard has rows."""
    work = _parts(out)
    work.mkdir(parents=True, exist_ok=True)
    with shares.alone(work, out):
        try:
            _clean(work, out)
            yield work
        except BaseException:
            if not any(map(_has_rows, work.rglob("part.json"))):
                shutil.rmtree(work, ignore_errors=True)
            raise
        for path in work.rglob("part.json"):  # first, so that a kill in between leaves no shard that seems complete
            path.unlink()
        shutil.rmtree(work)


def _parts(out: Path) -> Path:
    return out.with_name(f".{out.name}.parts")


def _has_rows(counts: Path) -> bool:
    """Tell whether a shard, or a part of one, has rows, or has dealt some for a second round."""
    dealt = counts.parent.with_suffix(".pairs")
    return bool(json.loads(counts.read_bytes())["examples"] or (dealt.is_file() and dealt.stat().st_size))


def _clean(work: Path, out: Path) -> None:
    for path in [*work.glob(f"{TEMPORARY}*"), *work.glob(f"*/{TEMPORARY}*")]:
        if path.name.endswith(ASIDE) and not out.exists():
            path.rename(out)  # the command before was killed between the two steps of _swap
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _swap(folder: Path, out: Path) -> None:
    # A folder cannot be renamed over a full one: the old mixture steps aside first and goes last.
    folder.chmod(0o755)
    old = folder.with_name(folder.name + ASIDE)
    if out.exists():
        out.rename(old)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)
