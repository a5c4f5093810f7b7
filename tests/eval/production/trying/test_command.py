"""The command: what is wrong is said in one sentence before anything is loaded, and a model of its own answers as in apply."""

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eval.cli import main
from eval.production.trying import site
from tests.eval.production.applying import _shop as shop
from tests.eval.production.trying import _open
from tests.eval.production.trying._open import DESCRIPTION, TITLE, rows, text_of


@pytest.fixture
def there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def error(*words: object) -> str:
    found: Result = CliRunner().invoke(main, ["try", *map(str, words)])
    (line,) = [line for line in found.output.splitlines() if line.startswith("error: ")]
    assert found.exit_code == 1 and "Traceback" not in found.output
    return str(line)


ENDPOINT = ("--backend", "openai", "--base-url", "http://127.0.0.1:9/v1", "--port", 0)
BAD = [
    ("an unknown run", ("--run", "shopp", "--port", 0), "did you mean 'shop'"),
    ("a run by its folder", ("--run", "runs/shop", "--port", 0), "expected the name of a run"),
    ("a run that is not merged", ("--run", "shop", "--port", 0), "make merge-shop"),
    (
        "a catalogue that is not there",
        ("--run", "shop", "--catalog", "shopp.csv", *ENDPOINT),
        "shopp.csv: no such file",
    ),
    ("reviews of nothing", ("--run", "shop", "--reviews", "r.jsonl", *ENDPOINT), "--reviews needs --catalog"),
    ("an option of no catalogue", ("--run", "shop", "--option", "id=sku", *ENDPOINT), "--option needs --catalog"),
    ("an entry that is none", ("--run", "shop", "--entry", 9, *ENDPOINT), "--entry 9: is no catalogue entry"),
    (
        "an option of another backend",
        ("--run", "shop", *ENDPOINT, "--batch-size", 2),
        "is for the transformers backend",
    ),
]


@pytest.mark.parametrize(("words", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.usefixtures("there")
def test_bad_input_is_a_sentence(words: tuple[object, ...], said: str) -> None:
    assert said in error(*words)


@pytest.mark.usefixtures("there")
def test_a_port_in_use(taken: int) -> None:
    assert f"--port {taken}: is in use; name another one, or 0 for any that is free" in error(
        "--run", "shop", *ENDPOINT[:4], "--port", taken
    )


def test_a_run_that_learnt_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _open.run(tmp_path, labels=False)
    assert "on neither category nor attributes" in error("--run", "shop", *ENDPOINT)


@pytest.mark.usefixtures("there")
def test_a_calibration_of_other_answers() -> None:
    assert "run without --no-constrain" in error("--run", "shop", *ENDPOINT, "--no-constrain")


@pytest.mark.slow
def test_a_model_of_its_own_labels_as_in_apply(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train = shop.write(tmp_path / "train.csv", shop.products())
    shop.trained(tmp_path, shop.entry(train, tasks=["category"]), merged=tiny_checkpoint)
    products = shop.products(3)
    shop.write(tmp_path / "new.csv", products, without=shop.LABELS)
    here = _open.site_of("--candidates", "2")
    found = _open.served(
        partial(site.show, here),
        partial(site.answer, here),
        lambda page: [page.post("/product", **{TITLE: row["name"], DESCRIPTION: row["text"]}) for row in products],
    )
    words = ["apply", "--run", "shop", "--catalog", "new.csv", "--out", "out.csv", "--batch-size", "1"]
    assert CliRunner().invoke(main, words).exit_code == 0
    for row, (status, html) in zip(shop.table(tmp_path / "out.csv"), found, strict=True):
        assert status == 200 and text_of(html, "category") == row["predicted_category"]
        assert rows(html)[0][2] == f"confidence {float(row['confidence_category']):.3f}"
        assert "Other categories" in html
