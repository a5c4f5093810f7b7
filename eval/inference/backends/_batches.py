"""Which prompts are answered together: they and their ids alone decide, so it is the same on every machine. Needs no torch."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from eval.inference.backends.base import Prompt

MOST = 4  # times as many short prompts as long ones: each brings scores of a whole vocabulary, however short it is


def by_tokens(prompts: Sequence[Prompt], size: int, answer: int) -> list[list[Prompt]]:
    """Return prompts in batches of one kind of prompt and of limit, the longest first.

    ``size`` of the longest prompts are in a batch, of others as many as take no more tokens with answers of ``answer`` tokens,
    and at most ``MOST`` times as many. Kinds of fewer prompts than ``size`` are put together.

    >>> prompts = [Prompt("a", [], ids=(1,)), Prompt("b", [], ids=(1,) * 9), Prompt("c", [], ids=(1, 2))]
    >>> prompts.append(Prompt("d", [], kind="x"))
    >>> [[prompt.id for prompt in batch] for batch in by_tokens(prompts, 1, 1)]
    [['b'], ['c', 'a'], ['d']]
    """
    room = size * (max((len(prompt.ids) for prompt in prompts), default=0) + answer)
    counts = Counter((type(prompt.limit), prompt.kind) for prompt in prompts)
    batches = _cut(
        prompts,
        lambda prompt: (type(prompt.limit), prompt.kind if counts[type(prompt.limit), prompt.kind] >= size else None),
        lambda longest: min(MOST * size, room // (len(longest.ids) + answer)),
    )
    return sorted(batches, key=lambda batch: _longest_first(batch[0]))


def by_rows(prompts: Sequence[Prompt], size: int) -> list[list[Prompt]]:
    """Return prompts in batches of ``size`` and of one kind of limit, the longest of each first.

    >>> prompts = [Prompt("a", [], ids=(1,)), Prompt("b", [], ids=(1, 2)), Prompt("c", [], kind="x", ids=(3, 4))]
    >>> [[prompt.id for prompt in batch] for batch in by_rows(prompts, 2)]
    [['b', 'c'], ['a']]
    """
    return _cut(prompts, lambda prompt: type(prompt.limit), lambda _: size)


def begun_alike(prompts: Sequence[Prompt]) -> int:
    """Return how many ids all prompts begin with, of which each has more.

    >>> begun_alike([Prompt("a", [], ids=(1, 2, 3, 4)), Prompt("b", [], ids=(1, 2, 3)), Prompt("c", [], ids=(1, 2, 3, 9))])
    2
    """
    lines = sorted(prompt.ids for prompt in prompts)
    pairs = zip(lines[0], lines[-1], strict=False)
    shared = next((at for at, (one, other) in enumerate(pairs) if one != other), len(lines[0]))
    return min(shared, min(map(len, lines)) - 1)


def _cut(
    prompts: Sequence[Prompt], key: Callable[[Prompt], object], count: Callable[[Prompt], int]
) -> list[list[Prompt]]:
    """Return prompts in batches of one ``key``, each of as many as ``count`` says of its longest."""
    groups = defaultdict[object, list[Prompt]](list)
    for prompt in prompts:
        groups[key(prompt)].append(prompt)
    batches = []
    for group in groups.values():
        ordered, start = sorted(group, key=_longest_first), 0
        while start < len(ordered):
            batches.append(ordered[start : start + count(ordered[start])])
            start += len(batches[-1])
    return batches


def _longest_first(prompt: Prompt) -> tuple[int, str]:
    return -len(prompt.ids), prompt.id
