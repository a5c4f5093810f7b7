#!/usr/bin/env bash
# lm-eval 0.4.13 (lm-evaluation-harness): exact_match of a generated answer, where the right answer is a list in JSON.
#
# Expected: doc_to_target: "{{answer}}" is the answer's text, as doc_to_target: answer is. Who answers ["S", "M"] is right.
# Happens:  a text that a template has rendered and that starts with [ and ends with ] is read as Python, and a list means several
#           right answers, of which one is enough. ["S", "M"] is wrong then, and the bare S is right. If the first row's answer is
#           no such list, the right list is compared with str() of the Python list, which has other quotes: wrong as well.
#           ["S", null] is no Python, stays a text, and is right. The column's plain name reads nothing and is right in all.
# Matters:  an attribute with several values is asked for as a list in JSON. A model that answers it without a fault gets 0 on those
#           rows, one that names a single value gets 1, and neither the report nor the log says so.
# Since:    seen in 0.4.13, the newest release in November 2026, and 0.4.11; an option for it is proposed upstream
#           (EleutherAI/lm-evaluation-harness#4057).
# Output:   {{answer}}: right lists 0 0, one value each 1 1, right after a plain first row 1 0, right with null 1
#           answer: right lists 1 1, one value each 0 0, right after a plain first row 1 1, right with null 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check lm-eval==0.4.13 datasets==5.2.0 numpy==2.4.6
cd "$work"
HF_HOME=$work/cache HF_HUB_OFFLINE=1 venv/bin/python - 2>log <<'PY' || { cat log; exit 1; }
import json
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager


class Says(LM):
    """A model that gives these answers."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def generate_until(self, requests):
        return [self.answers[int(request.args[0])] for request in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def scores(target, right, answers):
    rows = [{"question": str(number), "answer": answer} for number, answer in enumerate(right)]
    Path("shop.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = {
        "task": "sizes",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": "shop.jsonl"}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": target,
        "metric_list": [{"metric": "exact_match"}],
    }
    Path("tasks").mkdir(exist_ok=True)
    Path("tasks/sizes.yaml").write_text(json.dumps(task))
    tasks = TaskManager(include_path="tasks", include_defaults=False)
    done = simple_evaluate(model=Says(answers), tasks=["sizes"], task_manager=tasks, bootstrap_iters=0, log_samples=True)
    return [int(sample["exact_match"]) for sample in done["samples"]["sizes"]]


lists, null = ['["S", "M"]', '["M", "L"]'], ['["S", null]']
found = {}
for target in ("{{answer}}", "answer"):
    found[target] = [
        scores(target, lists, lists),
        scores(target, lists, ["S", "M"]),
        scores(target, ["red", *lists[:1]], ["red", *lists[:1]]),
        scores(target, null, null),
    ]
    right, one, after, with_null = (" ".join(map(str, part)) for part in found[target])
    print(f"{target}: right lists {right}, one value each {one}, right after a plain first row {after}, right with null {with_null}")
assert found == {"{{answer}}": [[0, 0], [1, 1], [1, 0], [1]], "answer": [[1, 1], [0, 0], [1, 1], [1]]}
PY
