"""Whether runs can be compared: the same test rows, prompts, scorer and decoding, or a sentence that says what differs."""

from collections.abc import Sequence
from typing import Any

import msgspec

from converters.errors import InputError
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
OF_THE_FILE = ("test_sha256", "prompt_sha256")  # what runs may differ in where only their common rows are compared


def check_comparable(runs: Sequence[Run], intersect: bool = False) -> None:
    """Raise :class:`InputError` that says in what two runs differ beside their answers.

    ``intersect``: only common rows are compared, so the files that they are from may differ. A baseline that answers without a
    model has no decoding settings to differ in.
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
    """Return the kinds of slices that mean something else in each run, since they are made with different training splits."""
    splits = [run.scores.provenance.get("train_sha256") for run in runs]
    return [] if all(split == splits[0] for split in splits) else [*OF_TRAINING]


def _setting(run: Run, key: str) -> Any:
    found = run.scores.provenance.get(key)
    # Which answers a judge judged is each run's own.
    return {k: v for k, v in found.items() if k != "predictions_sha256"} if isinstance(found, dict) else found


def decoding(run: Run) -> Any:
    """Return the decoding settings that stood beside the predictions, ``None`` where there were none."""
    return (run.scores.provenance.get("predictions") or {}).get("decoding")


def baseline(run: Run) -> str:
    """Return the name of the baseline that answered without a model, nothing if a model did."""
    return str((run.scores.provenance.get("predictions") or {}).get("baseline") or "")


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
