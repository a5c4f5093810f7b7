"""A citation that does not exist is taken off, and counted."""

from dataclasses import replace

from converters.tasks.answer import Reply


def existing(reply: Reply, shown: int) -> tuple[Reply, tuple[int, ...]]:
    """Return a reply without citations of other than the ``shown`` snippets, and the numbers taken off.

    >>> existing(Reply("Yes.", (1, 7)), 3)
    (Reply(text='Yes.', cited=(1,)), (7,))
    """
    removed = tuple(number for number in reply.cited if not 1 <= number <= shown)
    return replace(reply, cited=tuple(number for number in reply.cited if number not in removed)), removed
