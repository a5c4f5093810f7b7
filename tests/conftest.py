"""Fixtures that every test may use."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Small raw files, written by hand, one for each source."""
    return ROOT / "tests" / "fixtures"


@pytest.fixture(scope="session")
def real() -> Path:
    """Real rows of public datasets, which are not part of the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real rows at {folder}")
    return folder
