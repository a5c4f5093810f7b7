"""All plain data: records, examples, outcomes, and the names of splits and files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

MANIFEST = "manifest.json"


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One message of a row."""

    role: str
    content: str


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One example. The last message is the target; ``meta`` is JSON with what scoring needs beyond it."""

    id: str
    group: str
    task: str
    source: str
    messages: list[Turn]
    meta: str = "{}"

    @property
    def target(self) -> str:
        """The text that the model is to write."""
        return self.messages[-1].content

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The messages that the model is given."""
        return [{"role": turn.role, "content": turn.content} for turn in self.messages[:-1]]

    @property
    def extra(self) -> Mapping[str, Any]:
        """``meta``, decoded."""
        return dict(msgspec.json.decode(self.meta))


class Text(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One labelled piece of product text, such as ``Text("Title", "Acme kettle, 1.5 L")``; a row has ten or more."""

    label: str
    text: str


class Message(msgspec.Struct, frozen=True, gc=False):
    """One turn of a conversation; ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A product and its category path, broadest node first; ``taxonomy`` names the release the path is from.

    ``children`` are the names to choose from at each level of the path and below its last node, if the tree is known;
    ``candidates`` are paths to choose from that come with the product, ``None`` where a retriever is to find some.
    """

    id: str
    group: str
    texts: tuple[Text, ...]
    path: tuple[str, ...]
    taxonomy: str = ""
    children: tuple[tuple[str, ...], ...] = ()
    candidates: tuple[str, ...] | None = field(default=None, repr=False)  # out of the repr, of which ids may be digests


@dataclass(frozen=True, slots=True)
class Attributes:
    """A product and the values of the attributes asked for; an attribute that the texts do not state has no values.

    ``implicit`` names those whose value is known but not literally in the texts; ``definitions`` are sentences that explain an
    attribute.
    """

    id: str
    group: str
    texts: tuple[Text, ...]
    values: tuple[tuple[str, tuple[str, ...]], ...]
    implicit: tuple[str, ...] = ()
    definitions: tuple[tuple[str, str], ...] = field(
        default=(), repr=False
    )  # out of the repr, of which ids may be digests


@dataclass(frozen=True, slots=True)
class Question:
    """A product question, its snippets, the target answer and further reference answers.

    ``answer`` is ``None`` if the snippets do not answer it; ``cited`` holds 1-based snippet numbers. If the snippets were
    retrieved, ``ranks`` are the 1-based ranks, among all candidates, of those known to hold the answer.
    """

    id: str
    group: str
    question: str
    snippets: tuple[str, ...]
    answer: str | None
    cited: tuple[int, ...] = ()
    references: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answerable:
    """A product question, its snippets, and whether they answer it."""

    id: str
    group: str
    question: str
    snippets: tuple[str, ...]
    answer: bool


@dataclass(frozen=True, slots=True)
class Chat:
    """A general conversation that ends in an assistant turn."""

    id: str
    group: str
    turns: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A question about texts with one right option; ``answer`` is one of ``options``.

    ``product`` is the group of the product that it is about, if ``group`` is that of a query or another product.
    """

    id: str
    group: str
    question: str
    texts: tuple[Text, ...]
    options: tuple[str, ...]
    answer: str
    product: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A question about texts that is answered by yes or no; ``product`` is as in :class:`Choice`."""

    id: str
    group: str
    question: str
    texts: tuple[Text, ...]
    answer: bool
    product: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Ranking:
    """A query and its candidate products with the gain of each (E 1, S 0.1, C 0.01, I 0), in the order they are shown."""

    id: str
    group: str
    query: str
    candidates: tuple[str, ...]
    gains: tuple[float, ...]


Record = Listing | Attributes | Question | Answerable | Chat | Choice | Verdict | Ranking


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one raw row, ``file:line`` in ``where``: its records, or the ``reason`` why there are none.

    A row of an earlier mixture is its own record. ``notes`` name what was left out of a used row; notes and reasons are counted,
    and ``detail`` adds what is specific to this row. ``split`` is the official split of a row that has one. ``rows`` counts the
    raw rows that were merged into this one. ``part_of`` is the type of another row's record that this row is a part of.
    """

    where: str
    records: tuple[Record | Row, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    split: str = ""
    rows: int = 1
    detail: str = ""
    part_of: type | None = None


SPLITS = ("train", "validation", "test")
