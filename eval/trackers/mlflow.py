"""MLflow: a server, or the database in this folder that MLflow falls back on (``sqlite:///mlflow.db``).

https://mlflow.org/docs/latest/tracking. A run is found by its tag ``ecom.run``; one that Axolotl itself logged while it trained
(``mlflow_experiment_name`` and ``mlflow_run_name`` in the recipe) is found by its name, and gets that tag.
"""

import os
import re
import time
from collections.abc import Iterator
from typing import Any

from eval.trackers.base import Sent, last_step

PACKAGE = "mlflow-skinny sqlalchemy alembic"
TAG = "ecom.run"
AT_ONCE = 500  # metrics in a request: MLflow takes 1,000
LONGEST = 6000  # characters of a parameter, for MLflow
_REFUSED = re.compile(r"[^\w\-./ :]")  # such as the brackets of "memory/max_active (GiB)"


def send(sent: Sent, project: str, uri: str | None) -> str:
    """Put a run into the experiment ``project`` and return where it is; ``uri`` is a tracking URI.

    A parameter that MLflow has already stays: there it cannot be changed.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # seven take minutes to say that nobody is there
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client, now = MlflowClient(uri), time.time_ns() // 1_000_000
    found = client.get_experiment_by_name(project)
    experiment = found.experiment_id if found else client.create_experiment(project)
    run = _existing(client, experiment, sent) or client.create_run(experiment, run_name=sent.name)
    name = run.info.run_id
    metrics = [Metric(key, value, now, step) for key, value, step in _points(client, run, sent)]
    for start in range(0, len(metrics), AT_ONCE):
        client.log_batch(name, metrics=metrics[start : start + AT_ONCE])
    new = {key: str(value)[:LONGEST] for key, value in sent.settings.items() if key not in run.data.params}
    tags = {TAG: sent.identity} | {f"ecom.{key}": value for key, value in sent.hashes.items()}
    client.log_batch(name, params=[Param(*pair) for pair in new.items()], tags=[RunTag(*pair) for pair in tags.items()])
    for file, path in sent.files.items():
        client.log_artifact(name, str(path), file.rpartition("/")[0] or None)
    client.set_terminated(name)
    return f"experiment {project!r}, run {sent.name!r} ({name}) at {client.tracking_uri}"


def _existing(client: Any, experiment: str, sent: Sent) -> Any | None:
    """Return the run that was sent before, or the one that Axolotl logged."""
    wanted = [f"tags.`{TAG}` = '{sent.identity}'"]
    if name := sent.named["mlflow"].get("run"):
        mark = "'" if '"' in name else '"'  # MLflow knows no escape
        wanted.append(f"attributes.run_name = {mark}{name}{mark}")
    for condition in wanted:
        for run in client.search_runs([experiment], condition, order_by=["attributes.start_time DESC"], max_results=1):
            return run
    return None


def _points(client: Any, run: Any, sent: Sent) -> Iterator[tuple[str, float, int]]:
    """Yield key, value and step of what the run there lacks: points of the curve, and scores that are new or have changed."""
    keys = {key for _, numbers in sent.curve for key in numbers}
    names = {key: _REFUSED.sub("_", key) for key in keys}
    known = {
        key: {(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)}
        for key, name in names.items()
        if name in run.data.metrics
    }
    for step, numbers in sent.curve:
        yield from ((names[k], v, step) for k, v in numbers.items() if (step, v) not in known.get(k, ()))
    for key, value in sent.scores.items():
        if run.data.metrics.get(key) != value:
            yield key, value, last_step(sent)
