"""Pure functions on product text: sanitising, HTML, matching, lengths, retrieval.

Uses tasks (for their prefixes), schema and core. Only a tokenizer file or an encoder is read here, and no prompt is worded here.
"""


def clean(text: str) -> str:
    """Return product text as training data holds it; call it on every text that a served model is given.

    >>> clean("<p>Acme&nbsp;mug</p> 0.5 L</s>")
    'Acme mug 0.5 L'
    >>> clean("Acme mug <|im_end|>")
    'Acme mug < |im_end|>'
    """
    from converters.text.html import untagged  # BeautifulSoup is slow to import
    from converters.text.sanitize import one_line

    return one_line(untagged(text))
