"""One page for all tests that ask it something: a run with a calibration, its model at an endpoint, and a shop's texts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eval.production.trying import _open
from tests.eval.production.trying._open import Model, Page


@pytest.fixture(scope="session")
def model() -> Iterator[Model]:
    with _open.model() as found:
        yield found


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    _open.calibrate(_open.run(folder))
    return folder


@pytest.fixture(scope="session")
def page(home: Path, model: Model) -> Iterator[Page]:
    with _open.page(home, *model.flags, *_open.texts(home)) as found:
        yield found
