"""Normalisers: what they forgive and what they break, as documented."""

import pytest

from converters.core.errors import InputError
from eval import text


def test_mave_breaks_what_it_says_it_breaks() -> None:
    assert text.mave("1.5 L") == text.mave("15 L") == "15 l"
    assert text.mave("A") == ""
    assert text.strict("1.5 L") != text.strict("15 L")


@pytest.mark.parametrize(
    ("said", "plain"), [("The  Red-Mug ", "redmug"), ("Café, une", "café une"), ("theory an x", "theory x")]
)
def test_mave_is_squads(said: str, plain: str) -> None:
    assert text.mave(said) == plain


def test_an_unknown_normaliser_has_a_hint() -> None:
    with pytest.raises(InputError, match="did you mean 'strict'"):
        text.normaliser("stict")
