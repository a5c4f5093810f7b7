"""What can be cited: a piece of a product's text, where it is from, and for prices and availability of which day it is."""

from typing import Literal

import msgspec

TITLE = "title"  # the source of the snippet that is the product's title


class Snippet(msgspec.Struct, frozen=True, omit_defaults=True):
    """One piece of text. ``source`` is its column in the catalogue, or the id of the review.

    ``kind`` "offer" is a field of the catalogue that states a price or whether the product is to be had, as of ``date``; "graph"
    is a fact on how products are related, whose source is its column and the catalogue's name. Which of a review's or of a text's
    passages it is does not matter: two may have the same source.
    """

    product: str
    text: str
    kind: Literal["catalogue", "review", "offer", "graph"]
    source: str
    date: str = ""
