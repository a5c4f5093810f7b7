"""Rows of a recipe for the tests of its checks."""

import json
from collections.abc import Callable
from pathlib import Path

from recipes.runner import recipe
from recipes.runner.preflight import data

Place = Callable[..., Path]


def opened(loaded: recipe.Recipe) -> list[data.DataFile]:
    return [data.read(path) for path in data.files(loaded)]


def row(answer: str, question: str = "Hi") -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    found = {"id": f"x:{answer}", "group": answer, "task": "general", "source": "mine", "messages": turns, "meta": "{}"}
    return json.dumps(found) + "\n"
