"""Whether runs can be compared: they must agree in test rows, prompts, scorer and decoding."""

from collections.abc import Sequence
from typing import Any

import msgspec

from converters.core.errors import InputError
from eval.runs import Run, scorer_sha256

SAME = {
    "test_sha256": "test file",
    "prompt_sha256": "prompts",
    "scorer_sha256": "scorer",
    "normaliser": "normaliser",
    "stemmer": "stemmer",
    "encoder": "sentence encoder",
    "bert_score": "BERTScore settings",
    "judge": "judge",
}
OF_TRAINING = ("frequency", "seen")  # the kinds of slices that a training split makes
OF_THE_FILE = ("test_sha256", "prompt_sha256")  # may differ where only common rows are compared


def check_comparable(runs: Sequence[Run], intersect: bool = False) -> None:
    """Raise :class:`InputError` if runs differ in more than their answers.

    ``intersect``: only common rows are compared, so the test files may differ. A baseline has no decoding settings.
    """
    if len(runs) < 2:
        raise InputError(f"found {len(runs)} run, expected two or more to compare")
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise InputError(f"found two runs called {max(names, key=names.count)!r}, expected every run once")
    for key, word in SAME.items():
        if not (intersect and key in OF_THE_FILE):
            _same(word, runs, [_setting(run, key) for run in runs])
    models = [run for run in runs if not baseline(run)]
    _same("decoding settings", models, [decoding(run) for run in models])
    if runs[0].scores.provenance.get("scorer_sha256") != scorer_sha256():
        raise InputError(
            f"{runs[0].name} was scored by another version of the scorer; run ecom-eval score again on every run"
        )


def unlike_slices(runs: Sequence[Run]) -> list[str]:
    """Return the kinds of slices that cannot be compared, since the runs were scored with different training splits."""
    splits = [run.scores.provenance.get("train_sha256") for run in runs]
    return [] if all(split == splits[0] for split in splits) else [*OF_TRAINING]


def _setting(run: Run, key: str) -> Any:
    value = run.scores.provenance.get(key)
    # Which answers a judge judged is each run's own.
    return {k: v for k, v in value.items() if k != "predictions_sha256"} if isinstance(value, dict) else value


def decoding(run: Run) -> Any:
    """Return the decoding settings that were recorded beside the predictions, ``None`` if there are none."""
    return _origin(run).get("decoding")


def baseline(run: Run) -> str:
    """Return the name of the baseline that answered, "" if a model did."""
    return str(_origin(run).get("baseline") or "")


def _origin(run: Run) -> dict[str, Any]:
    return run.scores.provenance.get("predictions") or {}


def _same(word: str, runs: Sequence[Run], values: Sequence[Any]) -> None:
    for run, value in zip(runs, values, strict=True):
        if value != values[0]:
            first, a, b = runs[0].name, _short(values[0]), _short(value)
            raise InputError(
                f"{first} and {run.name} cannot be compared, for they differ in the {word}: {first} has {a} and "
                f"{run.name} has {b}"
            )


def _short(value: Any) -> str:
    text = (
        value if isinstance(value, str) else "none recorded" if value is None else msgspec.json.encode(value).decode()
    )
    return text[:12] if len(text) == 64 else text
