"""Near-duplicates: training rows whose text is close to that of a held-out one, by MinHash and its index (rensa).

A text is compared as the set of its shingles, runs of three words. Rows are read, cut and signed in blocks, so that the work on
every word is done by numpy and rensa. Only the signatures of held-out rows stay in memory, 4 KB each with their index.
"""

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.core.console import Pool
from converters.examples import prompt_turns
from converters.mixture.plan import NEAR, drop
from converters.mixture.shards import TEMPORARY
from converters.mixture.table import TRAIN, Mask, Table, kept, within
from converters.schema import Turn
from converters.tasks import category_shortlist
from converters.tasks.choice import listed
from converters.text.words import term_finder

PERMUTATIONS, BANDS, SEED = 128, 32, 1  # of MinHash and its index
BLOCK = 1 << 17  # bytes of rows that are compared at once; memory for more goes back to the system after each block
TOGETHER = 32  # blocks that a process is given at once
RUN = 3  # words of a shingle
FEW = 1 / 4  # of a text's words, up to which those that are not ASCII are looked up one by one
_BLANK, _BREAK = b" \n"
# ASCII in lower case, and blanks for what is part of no word; other bytes of UTF-8 stay.
_ASCII_WORDS = bytes(n if n > 127 or chr(n).isalnum() or n == ord("_") else _BLANK for n in range(256)).lower()


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
    own, held_out = (blocks(rows, wanted) for wanted in (train, kept(rows) & ~train))
    if pool:
        found = _near_in(pool, own, held_out, threshold, rows.shards[0].folder.parent)
    else:
        found = near(_signed(own), indexed(_signed(held_out), threshold), threshold)
    gone = train.copy()
    gone[train] = np.fromiter(found, bool)
    drop(rows, gone, NEAR)


def _near_in(
    pool: Pool, own: Iterator[Block], held_out: Iterator[Block], threshold: float, folder: Path
) -> Iterator[bool]:
    with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY) as place:
        known = Path(place) / "signatures"
        with closing(pool(_signatures, _together(held_out))) as signed:
            known.write_bytes(pickle.dumps(list(chain.from_iterable(signed))))
        with closing(pool(partial(_near_known, known=known, threshold=threshold), _together(own))) as found:
            yield from chain.from_iterable(found)


def _together(some: Iterator[Block]) -> Iterator[list[Block]]:
    return iter(lambda: list(islice(some, TOGETHER)), [])


def _signatures(some: Iterable[Block]) -> list[Any]:
    return list(_signed(some))


def _near_known(some: Iterable[Block], known: Path, threshold: float) -> list[bool]:
    return list(near(_signed(some), _index(known, threshold), threshold))


@lru_cache(1)
def _index(known: Path, threshold: float) -> Index:
    return indexed(pickle.loads(known.read_bytes()), threshold)


def indexed(signatures: Iterable[Any], threshold: float) -> Index:
    """Return the index of signatures."""
    from rensa import RMinHashLSH

    index = Index(RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=BANDS), list(signatures))
    index.lsh.insert_many(index.signatures)
    return index


def near(signed: Iterable[Any], held_out: Index, threshold: float) -> Iterator[bool]:
    """Yield for each signature whether it is near one of those held out, as :func:`signatures` makes them."""
    for own in signed:
        candidates = held_out.lsh.query(own)
        yield bool(candidates) and any(own.jaccard(held_out.signatures[n]) >= threshold for n in candidates)


def blocks(rows: Table, wanted: Mask) -> Iterator[Block]:
    """Yield the blocks of the shards' files that have wanted rows."""
    for entry, shard in enumerate(rows.shards):
        offset = 0
        for here in rows.blocks(entry):
            sizes = rows.read("size", here)
            ends = np.cumsum(sizes, dtype=np.int64) + offset
            spans = np.stack([ends - sizes, ends], 1)
            offset = int(ends[-1])
            cuts = np.flatnonzero(np.diff(ends // BLOCK)) + 1
            for block, chosen in zip(np.split(spans, cuts), np.split(wanted[here], cuts), strict=True):
                if chosen.any():
                    yield Block(shard.rows, block, chosen)


def _signed(some: Iterable[Block]) -> Iterator[Any]:
    """Yield the signatures of the wanted rows of blocks."""
    for block in some:
        start = block.spans[0, 0]
        with block.path.open("rb") as file:
            file.seek(start)
            text = file.read(block.spans[-1, 1] - start)
        yield from signatures([text[a:b] for a, b in (block.spans[block.wanted] - start).tolist()])


def signatures(lines: Sequence[bytes]) -> Iterator[Any]:
    """Yield the signature of each row, a line of our format: a ``rensa.RMinHash``, which pickles to 700 bytes.

    The lines are cut into shingles together: give as many as a block has.
    """
    from rensa import RMinHash

    rows = map(msgspec.json.Decoder(Asked).decode, lines)
    for runs in shingles([spaced(compared(row)) for row in rows]):
        signature = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
        signature.update(runs)
        yield signature


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


def spaced(text: str) -> bytes:
    """Return the terms of a text, ``terms(text, accents=True)``, as UTF-8, with one blank or more between them.

    Words of ASCII are written all at once: most texts have none or few others.

    >>> spaced("Café-Mug, 1.5 l").decode().split(), spaced("Red (Mug)")
    (['café', 'mug', '1', '5', 'l'], b'red  mug ')
    """
    utf8 = text.encode()
    if not text.isascii():
        words = utf8.split()
        others = [number for number, is_ascii in enumerate(map(bytes.isascii, words)) if not is_ascii]
        if len(others) > FEW * len(words):
            folded, find = term_finder(text, accents=True)
            return " ".join(find(folded)).encode()
        folded, find = term_finder(b"\n".join([words[number] for number in others]).decode(), accents=True)
        for number, word in zip(others, folded.split("\n"), strict=True):
            words[number] = " ".join(find(word)).encode()
        utf8 = b" ".join(words)
    return utf8.translate(_ASCII_WORDS)


def shingles(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the runs of three words of each text, or all of it where it has fewer words; they are in no order.

    The words are parted by blanks alone, as :func:`spaced` writes them.

    >>> list(shingles([b"title red acme mug", b" red  mug ", b""]))
    [[b'title red acme', b'red acme mug'], [b'red mug'], [b'']]
    """
    joined = np.frombuffer(b"".join([text.strip() + b"\n" for text in texts]), np.uint8)
    is_word = joined > _BLANK
    stays = joined == _BREAK
    stays |= is_word
    stays[1:] |= is_word[:-1]  # one blank after a word
    words = joined[stays]
    ends = np.flatnonzero(words <= _BLANK)
    lasts = np.flatnonzero(words[ends] == _BREAK)
    counts = np.diff(lasts, prepend=-1)  # of words in each text; an empty text is one, too
    places = (np.arange(len(ends)) - np.repeat(lasts - counts + 1, counts)) % RUN
    cuts, bounds, before = [], [], 0
    # Runs that begin with the first, fourth, ... word do not overlap, so that cutting the text makes them all; so on.
    for first in range(RUN):
        cut = words.copy()
        cut[ends[places == (first - 1) % RUN]] = _BREAK
        cuts.append(cut)
        pieces = (counts + 1 - (first - 1) % RUN) // RUN + 1
        starts = np.cumsum(pieces) - pieces + before + min(first, 1)
        bounds += [starts, starts + np.maximum((counts - first) // RUN, not first)]
        before += pieces.sum()
    runs = np.concatenate(cuts).tobytes().split(b"\n")
    for a, b, c, d, e, f in zip(*[bound.tolist() for bound in bounds], strict=True):
        yield runs[a:b] + runs[c:d] + runs[e:f]
