"""The runs of three words by which texts are compared, and which texts have one of them in common with others.

Texts are cut in blocks, so that the work on every word is done by numpy.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.text.words import term_finder

RUN = 3  # words of a shingle
FEW = 1 / 4  # of a text's words, up to which those that are not ASCII are looked up one by one
SHORT = 256  # bytes of a text whose runs are looked up; a longer one nearly always has one that others have, too
_BLANK, _BREAK = b" \n"
# ASCII in lower case, and blanks for what is part of no word; other bytes of UTF-8 stay.
_ASCII_WORDS = bytes(n if n > 127 or chr(n).isalnum() or n == ord("_") else _BLANK for n in range(256)).lower()
_BITS = 32  # of a hash
_OF_BYTE = np.random.default_rng(0).integers(1 << _BITS, size=256, dtype=np.uint32)
_OF_BYTE[: _BLANK + 1] = 0
_OF_PLACE = np.random.default_rng(1).integers(1 << _BITS, size=RUN, dtype=np.uint32)


class Runs:
    """Which runs some texts have, as bits of a table at the places of their hashes: a run whose bit is not set is in none.

    A word's hash is the sum of those of its letters, in any order. That finds a few runs more, and no run less.
    """

    def __init__(self, size: int, saved: Path | None = None) -> None:
        """Make room for texts of ``size`` bytes, two bits or more for each byte: ten or more for a run.

        Where they are ``saved`` in a file, they are only to be read: several processes share the memory for them.
        """
        self.size = size
        self._log = min(max(16, (2 * size).bit_length()), _BITS)
        self._table = np.asarray(np.memmap(saved, np.uint8, "r")) if saved else np.zeros(1 << self._log - 3, np.uint8)

    def save(self, path: Path) -> None:
        """Write a file of them."""
        path.write_bytes(self._table.data)

    def places(self, texts: Sequence[bytes]) -> NDArray[np.uint32]:
        """Return the places of the runs of texts, which depend on the texts and the size alone."""
        places, lasts = self._places(texts)
        return places[_whole(len(places), lasts)]

    def add(self, places: NDArray[np.uint32]) -> None:
        """Set the bits at these places."""
        for bit in range(8):
            self._table[places[places & 7 == bit] >> 3] |= 1 << bit

    def shared(self, texts: Sequence[bytes], most: float = 0.0) -> NDArray[np.bool_]:
        """Return for each text whether more than a share of its runs, ``most``, may be known; long ones are not looked up."""
        is_short = np.array([len(text) < SHORT for text in texts], bool)
        found = ~is_short
        if is_short.any():
            places, lasts = self._places([text for text in texts if len(text) < SHORT])
            known = self._table[places >> 3] >> (places & 7).astype(np.uint8) & 1
            known &= _whole(len(places), lasts)
            words = np.diff(lasts, prepend=0)
            counts = np.bincount(np.searchsorted(lasts, np.flatnonzero(known), "right"), minlength=len(lasts))
            # One of fewer words is a run as a whole.
            found[is_short] = (counts > most * (words - RUN + 1)) | (words < RUN)
        return found

    def _places(self, texts: Sequence[bytes]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the place of the run that begins with each word, and how many words there are up to the end of each text."""
        joined = np.frombuffer(b"\n".join([*texts, b""]), np.uint8)
        is_word = joined > _BLANK
        ends = np.flatnonzero(is_word[:-1] > is_word[1:])
        words = np.zeros(len(ends) + RUN - 1, np.uint32)
        words[: len(ends)] = np.diff(np.cumsum(_OF_BYTE.take(joined), dtype=np.uint32)[ends], prepend=np.uint32(0))
        hashes = sum(words[n : n + len(ends)] * factor for n, factor in enumerate(_OF_PLACE))
        lasts = np.searchsorted(ends, np.flatnonzero(joined == _BREAK))
        return hashes >> np.uint32(_BITS - self._log), lasts


def _whole(words: int, lasts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each word whether a run that begins with it ends in the same text."""
    whole = np.ones(words, bool)
    for n in range(1, min(RUN, words + 1)):
        whole[lasts - n] = False  # also at the very end, where this counts back from the first text
    return whole


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
