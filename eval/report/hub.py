"""What the Hugging Face Hub reads: a model card's front matter, and ``.eval_results/*.yaml``.

Formats: https://huggingface.co/docs/hub/model-cards and https://huggingface.co/docs/hub/eval-results, written by the classes of
huggingface_hub. An entry of ``.eval_results`` names a dataset that is registered on the hub as a benchmark, and one of its tasks.
The test split of a mixture is no such thing, so there is an entry only where the caller names the benchmark that was scored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from converters.core.errors import InputError, nearest
from eval.report.pages import interval, number, title
from eval.report.run_page import headline
from eval.results.record import Trained, hub_name
from eval.results.schema import Run, Score

FOLDER = ".eval_results"
_DATASET = re.compile(r"https://huggingface\.co/datasets/([\w.-]+/[\w.-]+)")
_INPUT = re.compile(r"hub:([\w.-]+/[\w.-]+)")
_BENCHMARK = re.compile(r"(\w+)=([\w.-]+/[\w.-]+):([\w.-]+)")
_ID = re.compile(r"[a-z0-9][a-z0-9.+-]*")
KINDS = ("accuracy", "f1", "precision", "recall", "rouge", "ndcg", "mrr", "exact_match")


@dataclass(frozen=True, slots=True)
class Told:
    """What only the owner knows: the licence's id on the hub, languages (ISO 639), benchmarks as ``TASK=OWNER/NAME:TASK_ID``."""

    licence: str | None = None
    languages: Sequence[str] = ()
    benchmarks: Sequence[str] = ()


def check(told: Told) -> None:
    """Raise an ``InputError`` for a licence or a language that is no id on the hub."""
    for option, values in (("--licence", [told.licence] if told.licence else []), ("--language", told.languages)):
        for value in values:
            if not _ID.fullmatch(value):
                raise InputError(f"{option} {value!r}: expected an id of the hub's, such as {_SUCH[option]}")


_SUCH = {"--licence": "apache-2.0, llama3.1 or other", "--language": "en or de"}


def front_matter(trained: Trained, run: Run, merged: bool, datasets: Sequence[str], told: Told) -> str:
    """Return the YAML between a card's two lines of dashes; what is not known is left out.

    ``merged`` tells a whole model from an adapter; a base model that is a folder of this machine is not named.
    """
    from huggingface_hub import ModelCardData

    check(told)
    base = hub_name(trained)
    relation = {"base_model_relation": "finetune" if merged else "adapter"} if base else {}
    card = ModelCardData(
        base_model=base,
        datasets=list(datasets) or None,
        language=list(told.languages) or None,
        library_name="transformers" if merged else "peft",
        license=told.licence,
        pipeline_tag="text-generation",
        tags=["e-commerce", "axolotl", *filter(None, [trained.recipe.get("adapter")])],
        model_name=run.name,
        eval_results=_model_index(run) or None,
        **relation,
    )
    return str(card.to_yaml(line_break="\n"))


def datasets(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the hub's datasets that mixtures were made from.

    A source that may hold several datasets names none of them: which one was read is not known.

    >>> datasets([{"sources": [{"url": "https://huggingface.co/datasets/a/b", "inputs": [{"name": "hub:d/e:config"}]}]}])
    ['a/b', 'd/e']
    """
    accounts = [account for manifest in manifests for account in manifest.get("sources", ())]
    urls = [found[1] for account in accounts if (found := _DATASET.fullmatch(account.get("url") or ""))]
    inputs = [item["name"] for account in accounts for item in account.get("inputs", ())]
    return sorted({*urls, *(found[1] for name in inputs if (found := _INPUT.match(name)))})


def _model_index(run: Run) -> list[Any]:
    from huggingface_hub import EvalResult

    test = str(run.scores.provenance.get("test_sha256"))
    return [
        EvalResult(
            task_type="text-generation",
            task_name=task,
            dataset_type=f"test-split-{test[:12]}",
            dataset_name=f"held-out rows of the training mixture ({scores.n} rows, {scores.groups} products)",
            dataset_config=task,
            dataset_split="test",
            metric_type=next((kind for kind in KINDS if kind in name), name),
            metric_name=f"{title(name)} ({_beside(scores.metrics[name])})",
            metric_value=round(scores.metrics[name].value, 4),
        )
        for task, scores in run.scores.tasks.items()
        if (name := headline(task, scores))
    ]


def _beside(score: Score) -> str:
    return f"95 % interval {interval(score)}; floor {number(score.floor)}"


def eval_results(run: Run, benchmarks: Sequence[str]) -> dict[str, str]:
    """Return the content of each file under ``.eval_results``, by its path; a task that was not scored is an ``InputError``."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    files = {}
    for benchmark in benchmarks:
        named = _BENCHMARK.fullmatch(benchmark)
        if not named:
            form = "TASK=OWNER/NAME:TASK_ID, a task of ours and one of a benchmark on the hub"
            raise InputError(f"--benchmark {benchmark!r}: expected {form}")
        task, dataset, task_id = named.groups()
        if task not in run.scores.tasks:
            raise InputError(f"--benchmark {benchmark!r}: {task!r} was not scored{nearest(task, [*run.scores.tasks])}")
        scores = run.scores.tasks[task]
        name = headline(task, scores)
        if not name:
            raise InputError(f"--benchmark {benchmark!r}: {task!r} has no score")
        test = str(run.scores.provenance.get("test_sha256"))[:12]
        notes = f"{title(name)}, {_beside(scores.metrics[name])}, {scores.n} rows, test file {test}"
        entry = EvalResultEntry(dataset, task_id, round(scores.metrics[name].value, 4), notes=notes)
        dumped = yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True, width=1000)
        files[f"{FOLDER}/{task}.yaml"] = dumped
    return files
