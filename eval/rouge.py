"""ROUGE-L (Lin 2004, https://aclanthology.org/W04-1013): ``rouge_score``'s tokens, rapidfuzz's longest common subsequence."""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from rapidfuzz.distance.LCSseq import similarity
from rouge_score.tokenize import tokenize

STEMMER = True


@cache
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    stemmer = PorterStemmer()
    stemmer.stem = lru_cache(1 << 18)(stemmer.stem)  # words repeat, and a stem costs more than all the rest
    return stemmer


def rouge_tokens(text: str, stem: bool = STEMMER) -> list[str]:
    """Return a text's tokens: runs of Latin letters and digits in lower case, those of more than three characters stemmed.

    >>> tokens("It's running, 1.5 L"), tokens("It's running", stem=False)
    (['it', 's', 'run', '1', '5', 'l'], ['it', 's', 'running'])
    """
    words: list[str] = tokenize(text, _stemmer() if stem else None)
    return words


def rouge_f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    """Return ROUGE-L F1 of two lists of tokens; 0 where they have nothing in common.

    >>> round(f1(["red", "big", "mug"], ["red", "mug"]), 3)
    0.8
    """
    common = similarity(answer, reference)
    if not common:
        return 0.0
    precision, recall = common / len(answer), common / len(reference)
    return 2 * precision * recall / (precision + recall)


def best(answer: str, references: Iterable[str], stem: bool = STEMMER) -> float:
    """Return the best F1 of an answer over its references.

    >>> best("A red mug.", ["Blue mug", "red mugs"])
    0.8
    """
    words = rouge_tokens(answer, stem)
    return max(rouge_f1(words, rouge_tokens(reference, stem)) for reference in references)
