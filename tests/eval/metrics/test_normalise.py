"""Normalisers: what they forgive and what they break, as documented."""

import pytest

from converters.core.errors import InputError
from eval.metrics import _normalise


def test_mave_breaks_what_it_says_it_breaks() -> None:
    assert _normalise.mave("1.5 L") == _normalise.mave("15 L") == "15 l"
    assert _normalise.mave("A") == ""
    assert _normalise.strict("1.5 L") != _normalise.strict("15 L")


@pytest.mark.parametrize(
    ("answer", "plain"), [("The  Red-Mug ", "redmug"), ("Café, une", "café une"), ("theory an x", "theory x")]
)
def test_mave_is_squads(answer: str, plain: str) -> None:
    assert _normalise.mave(answer) == plain


def test_an_unknown_normaliser_has_a_hint() -> None:
    with pytest.raises(InputError, match="did you mean 'strict'"):
        _normalise.normaliser("stict")
