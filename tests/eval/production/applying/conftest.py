"""A folder with a run that was trained on the made-up shop, and an endpoint that answers for its model."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eval.cli import main
from tests.eval._serving import Answered, chat, serving
from tests.eval.production.applying import _shop as shop


def answer(body: dict[str, Any], _: Any) -> Answered:
    """Answer as a good model would, unsure of every fourth product."""
    prompt = body["messages"][-1]["content"]
    number = int((re.search(r"thing (\d+)", prompt) or re.search(r"(\d*)$", "0"))[1])  # type: ignore[index]
    if prompt.startswith("[CLASSIFY]"):
        text = (shop.KETTLES, shop.MUGS, shop.TENTS)[number % 3]
    else:
        names = json.loads(re.search(r"\[\"[^\]]*\]", prompt)[0])  # type: ignore[index]
        values = {name: re.search(shop.FOUND.get(name, "$^"), prompt.partition("\n")[2]) for name in names}
        text = json.dumps({name: value and value[0] for name, value in values.items()})
    return answered(text, -2.0 if number % 4 == 0 else -0.01)


def answered(text: str, logprob: float) -> Answered:
    token = {"token": text, "logprob": logprob, "bytes": list(text.encode())}
    return chat(choices=[{"message": {"content": text}, "finish_reason": "stop", "logprobs": {"content": [token]}}])


@pytest.fixture
def url() -> Iterator[str]:
    with serving(answer) as address:
        yield address


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run that was trained on the made-up shop."""
    monkeypatch.chdir(tmp_path)
    shop.trained(tmp_path, shop.entry(shop.write(tmp_path / "train.csv", shop.products())))
    return tmp_path


@pytest.fixture
def label(url: str) -> Callable[..., Result]:
    """Apply the run ``shop`` by the endpoint."""

    def run(*words: object, name: str = "shop") -> Result:
        network = ("--backend", "openai", "--base-url", url, "--model", "m", "--concurrency", 2) * (
            "transformers" not in words
        )
        return CliRunner().invoke(main, [str(word) for word in ("apply", "--run", name, *network, *words)])

    return run
