"""A Bloom filter: which keys may have been seen, in memory that does not grow with them.

Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970.
"""

from collections.abc import Iterator

BITS, PLACES = 26, 4  # 8 MiB: with the 3.5 million labels of MAVE it lets about 1 in 1,000 other products through
HASH_BYTES = 16  # of a key's hash: enough for the places, and the low bits stay for other uses
_FREE = 8 * HASH_BYTES - BITS * PLACES


class Filter:
    """A Bloom filter over hashes: it holds all that were added, and few others."""

    def __init__(self) -> None:
        """Make an empty one."""
        self.bits = bytearray(2**BITS // 8)

    def add(self, number: int) -> bool:
        """Add a hash of ``HASH_BYTES``; always true."""
        for place in _places(number):
            self.bits[place >> 3] |= 1 << (place & 7)
        return True

    def holds(self, number: int) -> bool:
        """Tell whether a hash may have been added."""
        return all(self.bits[place >> 3] >> (place & 7) & 1 for place in _places(number))


def _places(number: int) -> Iterator[int]:
    return (number >> _FREE + shift & (2**BITS - 1) for shift in range(0, PLACES * BITS, BITS))
