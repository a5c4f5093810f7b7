"""What a product costs and whether it is to be had: from the catalogue's own fields, with their date, and from nothing else.

A review's price is that of another day, or of another shop.
"""

import re
from collections.abc import Sequence

from converters.tasks.answer import Reply
from eval.production.asking.guardrails.grounding import cited
from eval.production.asking.snippets import Snippet

_SIGNS = "$€£¥₹₩₽"
_AMOUNT = re.compile(
    rf"[{_SIGNS}]\s?\d|\d\s?[{_SIGNS}]|\b(?:usd|eur|gbp|cny|jpy|inr|chf)\s?\d|\d\s?(?:usd|eur|gbp|cny|jpy|inr|chf|euros?|dollars?|bucks)\b|\d\s?[元円]",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"\b(?:how much (?:is|are|does|do|for)\b(?!.*\b(?:weigh|hold|water|power|space|room)\w*)|price|prices|priced|cost|costs|"
    r"in stock|out of stock|sold out|available (?:now|today|again)|availability|was kostet|wie teuer|preis|lieferbar|auf lager|"
    r"prix|combien coûte|en stock|cuánto cuesta|precio|disponible)\b|多少钱|价格|有货|いくら|価格|在庫",
    re.IGNORECASE,
)
_THERE = re.compile(
    r"\b(?:in stock|out of stock|sold out|back in stock|on backorder)\b|有货|缺货|在庫あり|在庫切れ", re.IGNORECASE
)


def concerns(question: str, answer: str) -> bool:
    """Tell whether a question asks, or an answer states, what a product costs or whether it is to be had.

    >>> concerns("How much is it?", ""), concerns("How much does it weigh?", "2 kg"), concerns("Any good?", "Yes, for $20.")
    (True, False, True)
    """
    return bool(_ASKED.search(question) or _AMOUNT.search(answer) or _THERE.search(answer))


def objection(question: str, reply: Reply, snippets: Sequence[Snippet]) -> str:
    """Return why an answer on a price or on availability is withheld, "" where the catalogue's fields alone bear it.

    An answer without a citation rests on no field.

    >>> shown = [Snippet("1", "Price: 20 EUR", "offer", "price", "2026-01-31"), Snippet("1", "I paid 15 EUR", "review", "r1")]
    >>> [objection("What does it cost?", reply, shown) for reply in (Reply("20 EUR", (1,)), Reply("15 EUR", (2,)))]
    ['', 'a price or availability may come from the catalogue alone, and it rests on a review']
    """
    if not concerns(question, reply.text or ""):
        return ""
    kinds = {snippet.kind for snippet in cited(reply, snippets)}
    if reply.cited and kinds == {"offer"}:
        return ""
    rests = "a review" if "review" in kinds else "no field of it that states one"
    return f"a price or availability may come from the catalogue alone, and it rests on {rests}"
