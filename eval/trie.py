"""Token sequences as a tree: which token may follow, if the whole has to be one of them."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Trie: TypeAlias = dict[int, "Trie"]


def build(sequences: Iterable[Sequence[int]]) -> Trie:
    """Return the tree of sequences.

    >>> build([[1, 2], [1, 3]])
    {1: {2: {}, 3: {}}}
    """
    root: Trie = {}
    for sequence in sequences:
        node = root
        for token in sequence:
            node = node.setdefault(token, {})
    return root


def following(trie: Trie, begun: Iterable[int]) -> list[int]:
    """Return the tokens that may follow those begun; none where a sequence is whole or none begins so.

    >>> trie = build([[1, 2], [1, 3]])
    >>> following(trie, []), following(trie, [1]), following(trie, [1, 2]), following(trie, [9])
    ([1], [2, 3], [], [])
    """
    for token in begun:
        if token not in trie:
            return []
        trie = trie[token]
    return list(trie)
