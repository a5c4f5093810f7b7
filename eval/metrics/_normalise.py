"""Normalisers by name, and the tokens of token F1.

A score is only comparable with another that used the same normaliser, so its name stands in every ``scores.json``.
Source of the SQuAD rules: https://rajpurkar.github.io/SQuAD-explorer/ (``evaluate-v2.0.py``, CC BY-SA 4.0), rewritten.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from converters.core.errors import InputError, nearest
from eval.metrics._units import units

Normalise = Callable[[str], str]

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def strict(text: str) -> str:
    """Return the text as it is, ends stripped. It forgives nothing: ``1.5L`` is not ``1.5 L`` and ``red`` is not ``Red``.

    >>> strict(" 1.5 L ")
    '1.5 L'
    """
    return text.strip()


def mave(text: str) -> str:
    """Return SQuAD-like text: lower case, no ASCII punctuation, no English articles, white space collapsed.

    It breaks values in which these carry meaning: ``1.5 L`` equals ``15 L``, and the size ``A`` equals nothing at all.

    >>> mave("The 1.5 L  Kettle!"), mave("A")
    ('15 l kettle', '')
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


NORMALISERS: dict[str, Normalise] = {"strict": strict, "mave": mave, "units": units}


def normaliser(name: str) -> Normalise:
    """Return the normaliser called ``name``; an unknown name is an ``InputError`` with the nearest right one."""
    if name not in NORMALISERS:
        raise InputError(f"unknown normaliser {name!r}{nearest(name, list(NORMALISERS))}")
    return NORMALISERS[name]


def tokens(text: str) -> list[str]:
    """Return SQuAD's tokens.

    >>> tokens("A 1.5 L kettle, the kettle")
    ['15', 'l', 'kettle', 'kettle']
    """
    return mave(text).split()


def token_f1(said: Sequence[str], gold: Sequence[str]) -> float:
    """Return SQuAD's F1 of two multisets of tokens; where either is empty, whether both are.

    >>> round(token_f1(["red", "red", "mug"], ["red", "mug"]), 3)
    0.8
    """
    if not said or not gold:
        return float(list(said) == list(gold))
    common = sum((Counter(said) & Counter(gold)).values())
    return 2 * common / (len(said) + len(gold))
