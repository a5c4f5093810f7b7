"""Near-duplicates: training rows whose text is close to that of a held-out one, by MinHash and its index (rensa).

A text is compared as the set of its shingles, runs of three words. Rows are read, cut and signed in blocks, so that the work on
every word is done by numpy and rensa. A short row needs no signature if too few of its runs are in any held-out row: most are
such. Only the signatures of held-out rows stay in memory, 4 KB each with their index, and two to four bits for each byte of these
rows.
"""

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from io import BufferedReader
from itertools import chain, compress, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.core.console import Pool
from converters.examples import prompt_turns
from converters.mixture.plan.decisions import NEAR, drop
from converters.mixture.plan.table import TRAIN, Mask, Table, kept, within
from converters.mixture.runs import Runs, shingles, spaced
from converters.mixture.shards import TEMPORARY
from converters.schema import Turn
from converters.tasks import category_shortlist
from converters.tasks.choice import listed

PERMUTATIONS, BANDS, SEED = 128, 32, 1  # of MinHash and its index
BLOCK = 1 << 17  # bytes of rows that are compared at once; memory for more goes back to the system after each block
TOGETHER = 32  # blocks that a process is given at once
MANY = 1 / 2  # of the rows of a block, from which it is decoded as a whole


class Asked(msgspec.Struct, gc=False):
    """As much of a row as is compared."""

    task: str
    messages: list[Turn]
    meta: str = "{}"


class Block(NamedTuple):
    """Rows of a file that follow each other: where each begins and ends, and which are wanted."""

    path: Path
    spans: NDArray[np.int64]
    wanted: Mask


class Index(NamedTuple):
    """Signatures and an index of them, ``rensa.RMinHashLSH``."""

    lsh: Any
    signatures: list[Any]


def drop_near_duplicates(rows: Table, threshold: float | None, pool: Pool | None = None) -> None:
    """Drop training rows whose text is near that of a validation or test row; with no threshold, none.

    Where there is a ``pool``, its processes read, sign and look up rows, a copy of the index in each.
    """
    if threshold is None:
        return
    train = within(rows, TRAIN)
    held_out = kept(rows) & ~train
    runs = Runs(sum(int(rows.read("size", here)[held_out[here]].sum(dtype=np.int64)) for here in rows.blocks()))
    known, own = blocks(rows, held_out), blocks(rows, train)
    if pool:
        found = _near_in(pool, known, runs, own, threshold, rows.shards[0].folder.parent)
    else:
        signed = list[Any]()
        for some in _together(known):
            more, places = _signed(some, runs)
            signed += more
            runs.add(places)
        found = _near(own, indexed(signed, threshold), runs, threshold)
    gone = train.copy()
    gone[train] = found
    drop(rows, gone, NEAR)


def _signed(some: Iterable[Block], runs: Runs) -> tuple[list[Any], NDArray[np.uint32]]:
    """Return the signatures of the wanted rows of blocks, ``rensa.RMinHash``, and the places of their runs."""
    signed, places = list[Any](), [np.empty(0, np.uint32)]
    for texts in _texts(some):
        signed += _signatures(texts)
        places.append(runs.places(texts))
    return signed, np.concatenate(places)


def _near_in(
    pool: Pool, held_out: Iterator[Block], runs: Runs, own: Iterator[Block], threshold: float, folder: Path
) -> Mask:
    """Return which of the wanted rows of ``own`` are near those of ``held_out``.

    Signatures and runs of these go from process to process in files: this one need not hold all signatures.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY) as temporary:
        signed, bits = Path(temporary) / "signed", Path(temporary) / "runs"
        with closing(pool(partial(_sign, size=runs.size), _together(held_out))) as made, signed.open("wb") as file:
            for pickled, places in made:
                file.write(pickled)
                runs.add(places)
        runs.save(bits)
        known = partial(_near_known, signed=signed, bits=bits, size=runs.size, threshold=threshold)
        with closing(pool(known, _together(own))) as found:
            return np.concatenate([np.empty(0, bool), *found])


def _together(some: Iterator[Block]) -> Iterator[list[Block]]:
    return iter(lambda: list(islice(some, TOGETHER)), [])


def _sign(some: Iterable[Block], size: int) -> tuple[bytes, NDArray[np.uint32]]:
    """Return the signatures of blocks, pickled, and the places of their runs."""
    signed, places = _signed(some, Runs(size))
    return pickle.dumps(signed), places


def _near_known(some: Iterable[Block], signed: Path, bits: Path, size: int, threshold: float) -> Mask:
    return _near(some, _index(signed, threshold), Runs(size, bits), threshold)


@lru_cache(1)
def _index(signed: Path, threshold: float) -> Index:
    """Return the index of the signatures in a file."""
    with signed.open("rb") as file:
        return indexed([*chain.from_iterable(_pickled(file))], threshold)


def _pickled(file: BufferedReader) -> Iterator[list[Any]]:
    while file.peek(1):
        yield pickle.load(file)


def _near(some: Iterable[Block], index: Index, runs: Runs, threshold: float) -> Mask:
    """Return which of the wanted rows of blocks are near one that is held out."""
    found, most = [np.empty(0, bool)], far(threshold)
    for texts in _texts(some):
        found.append(runs.shared(texts, most))
        signed = _signatures([*compress(texts, found[-1].tolist())])
        found[-1][found[-1]] = [*near(signed, index, threshold)]
    return np.concatenate(found)


def far(threshold: float) -> float:
    """Return the share of a text's runs up to which no text that has these can seem to be near, but once in 2**64 times.

    A value of MinHash can be equal only where it is of a run that both have: at most that share of them is, on average, and the
    bound is Chernoff's.

    >>> round(far(0.8), 2), round(far(0.2), 2)
    (0.39, 0.02)
    """
    shares = np.arange(1, 1000) / 1000 * threshold
    others = (1 - threshold) * np.log((1 - threshold) / (1 - shares)) if threshold < 1 else 0.0
    divergence = threshold * np.log(threshold / shares) + others
    return float(shares[divergence * PERMUTATIONS >= 64 * np.log(2)].max(initial=0.0))


def indexed(signatures: list[Any], threshold: float) -> Index:
    """Return the index of signatures."""
    from rensa import RMinHashLSH

    lsh = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=BANDS)
    lsh.insert_many(signatures)
    return Index(lsh, signatures)


def near(signed: Iterable[Any], held_out: Index, threshold: float) -> Iterator[bool]:
    """Yield for each signature whether it is near one of those held out."""
    query, known = held_out.lsh.query, held_out.signatures
    for own in signed:
        candidates = query(own)
        yield bool(candidates) and any(own.jaccard(known[n]) >= threshold for n in candidates)


def blocks(rows: Table, wanted: Mask) -> Iterator[Block]:
    """Yield the blocks of the shards' files that have wanted rows."""
    for path, own in rows.files():
        offset = 0
        for here in rows.blocks(own):
            sizes = rows.read("size", here)
            ends = np.cumsum(sizes, dtype=np.int64) + offset
            spans = np.stack([ends - sizes, ends], 1)
            offset = int(ends[-1])
            cuts = np.flatnonzero(np.diff(ends // BLOCK)) + 1
            for block, chosen in zip(np.split(spans, cuts), np.split(wanted[here], cuts), strict=True):
                if chosen.any():
                    yield Block(path, block, chosen)


def _texts(some: Iterable[Block]) -> Iterator[list[bytes]]:
    """Yield the texts of the wanted rows of blocks, as many together as can be cut at once."""
    texts, size = list[bytes](), 0
    for block in some:
        texts += (found := [spaced(compared(row)) for row in _rows(block)])
        if (size := size + sum(map(len, found))) >= BLOCK // 2:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts


def _rows(block: Block) -> Iterable[Asked]:
    """Return the wanted rows of a block."""
    start, decoder = block.spans[0, 0], msgspec.json.Decoder(Asked)
    with block.path.open("rb") as file:
        file.seek(start)
        text = file.read(block.spans[-1, 1] - start)
    if block.wanted.mean() > MANY:
        return compress(decoder.decode_lines(text), block.wanted.tolist())
    starts, ends = (block.spans[block.wanted] - start).T.tolist()
    return (decoder.decode(text[a:b]) for a, b in zip(starts, ends, strict=True))


def signatures(lines: Iterable[bytes]) -> list[Any]:
    """Return the signature of each row, a line of our format: a ``rensa.RMinHash``, which pickles to 700 bytes."""
    return _signatures([spaced(compared(row)) for row in map(msgspec.json.Decoder(Asked).decode, lines)])


def _signatures(texts: Sequence[bytes]) -> list[Any]:
    from rensa import RMinHash

    signed: list[Any] = RMinHash.from_token_sets(shingles(texts), PERMUTATIONS, SEED)
    return signed


def compared(row: Asked) -> str:
    """Return what a row asks about; instruction, options and candidates are left out.

    >>> compared(Asked("category", [Turn("user", "[CLASSIFY] Category:\\nTitle: Red Acme mug"), Turn("assistant", "Mugs")]))
    'Title: Red Acme mug'
    """
    text = prompt_turns(row.task, row.messages)[-1].content
    body = text.partition("\n")[2] if text.startswith("[") else text
    if '"options":' in row.meta or '"candidates":' in row.meta:
        meta = msgspec.json.decode(row.meta)
        options = {*listed(meta.get("options", ())), *map(category_shortlist.line, meta.get("candidates", ()))}
        body = "\n".join(line for line in body.splitlines() if line not in options)
    return body or text
