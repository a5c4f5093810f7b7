"""What datasets of queries and products share: grades and their gains, wording, groups and official splits.

ECInstruct is made from ESCI, so both pose one question in the same words and give one query the same group.
"""

GAINS = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}
RELEVANCE = "How well does the product match the query?"
SUBSTITUTE = "Is the product a substitute, which misses a part of the query but could be used instead?"
_GRADES = {"exact": "E", "substitute": "S", "complement": "C", "irrelevant": "I"} | {g.lower(): g for g in GAINS}
_SPLITS = {"train": "train", "val": "validation", "dev": "validation", "validation": "validation", "test": "test"}


def grade(label: str) -> str:
    """Return E, S, C or I for a label in letters or words, nothing for any other.

    >>> grade("Exact"), grade("s"), grade("good")
    ('E', 'S', '')
    """
    return _GRADES.get(label.strip().lower(), "")


def official(split: str | None) -> str | None:
    """Return a dataset's split in our words, an empty text where it has none, ``None`` for an unknown one.

    >>> official("val"), official(None), official("holdout")
    ('validation', '', None)
    """
    return _SPLITS.get(split.strip().lower()) if split and split.strip() else ""
