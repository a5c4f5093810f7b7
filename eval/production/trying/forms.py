"""What a posted form says: a product's texts, or a question. What is wrong with it is one sentence for the page."""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs

from converters.text import clean
from converters.text.html import untagged
from eval.production.asking.questions import LONGEST as LONGEST_QUESTION
from eval.production.asking.questions import Asked

LONGEST = 10_000  # bytes of all texts of a product: no token is shorter than one
LONGEST_RAW = 50_000  # with their markup
FIELDS = 100
ONE = "page"  # the question's id
Texts = tuple[tuple[str, str], ...]


class Refusal(NamedTuple):
    """Why a form is not answered, with the HTTP status that says so."""

    status: int
    sentence: str


def fields(body: bytes) -> dict[str, str]:
    """Return the fields of a form by name, the last of each; bytes that are no UTF-8 become U+FFFD.

    More than ``FIELDS`` of them are a ``ValueError``.

    >>> fields("question=Ist+es+gr%C3%BCn%3F&product=".encode())
    {'question': 'Ist es grün?', 'product': ''}
    """
    text = body.decode("utf-8", "replace")
    found = parse_qs(text, keep_blank_values=True, errors="replace", max_num_fields=FIELDS)
    return {name: values[-1] for name, values in found.items()}


def product(given: Mapping[str, str], labels: Sequence[str]) -> Texts | Refusal:
    """Return a product's texts without markup, each with its label, those that are not empty; the first is the title.

    >>> product({"text-0": "<b>Mug</b>", "text-1": " "}, ["Title", "Description"])
    (('Title', 'Mug'),)
    >>> product({"text-0": "<br>"}, ["Title"])
    Refusal(status=422, sentence='the title is empty: a product needs one')
    """
    texts = [(label, given.get(f"text-{number}", "")) for number, label in enumerate(labels)]
    if too_long := _over(texts, LONGEST_RAW):
        return too_long
    bare = [(label, untagged(text)) for label, text in texts]
    if too_long := _over(bare, LONGEST):
        return too_long
    if not clean(bare[0][1]):
        return Refusal(422, "the title is empty: a product needs one")
    return tuple((label, text) for label, text in bare if text.strip())


def _over(texts: Sequence[tuple[str, str]], most: int) -> Refusal | None:
    size = sum(len(text.encode("utf-8", "replace")) for _, text in texts)
    return Refusal(413, f"the texts have {size:,} bytes, and the page takes at most {most:,}") if size > most else None


def question(given: Mapping[str, str], known: Container[str]) -> Asked | Refusal:
    """Return a question and the product that it is about, if one of the ``known`` is named.

    >>> question({"question": "How <b>big</b>?", "product": "K1"}, {"K1"})
    Asked(id='page', question='How big?', product='K1')
    >>> question({"question": "Big?", "product": "K2"}, {"K1"}).sentence
    "the catalogue has no product 'K2'"
    """
    text, name = given.get("question", ""), given.get("product", "").strip()
    if len(text) > LONGEST_QUESTION:
        return Refusal(413, f"the question has {len(text):,} characters, and at most {LONGEST_QUESTION:,} are read")
    asked = clean(text)
    if not asked:
        return Refusal(422, "the question is empty")
    if name and name not in known:
        return Refusal(422, f"the catalogue has no product {name[:60]!r}")
    return Asked(ONE, asked, name or None)
