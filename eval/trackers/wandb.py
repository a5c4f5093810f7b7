"""Weights & Biases: its cloud, a server of one's own, or this disk (``WANDB_MODE=offline``, then ``wandb sync``).

https://docs.wandb.ai/ref/python. A run's id there is its own identity, or the recipe's ``wandb_run_id``: then the scores stand in
the run that Axolotl itself logged. Scores go to the summary, where a newer value replaces the older one.
"""

import os
from pathlib import Path

from eval.trackers.base import Sent, as_drawn

PACKAGE = "wandb"


def send(sent: Sent, project: str, uri: str | None) -> str:
    """Put a run into ``project`` and return where it is; ``uri`` is the address of a server of one's own.

    W&B takes no step twice: of a run that is there, it gets the steps after its last. Offline every call writes a run of its own
    with the same id, and ``wandb sync`` replaces the run by it.
    """
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    quiet = wandb.Settings(console="off", x_disable_stats=True, disable_git=True, x_save_requirements=False)
    if uri:
        quiet.base_url = uri
    named = sent.named["wandb"]
    with wandb.init(
        project=project,
        id=named.get("id", sent.identity),
        name=named.get("run", sent.name),
        resume="allow",
        config={**sent.settings, "hashes": dict(sent.hashes)},
        settings=quiet,
    ) as run:
        run.config.update({"hashes": dict(sent.hashes)}, allow_val_change=True)
        first = run.step
        for step, numbers in sent.curve:
            if not run.resumed or step >= first:
                run.log({as_drawn(key): value for key, value in numbers.items()}, step=step)
        run.summary.update(dict(sent.scores))
        if sent.files:
            report = wandb.Artifact(f"{sent.identity}-report", type="report")
            for name, path in sent.files.items():
                report.add_file(str(path), name)
            run.log_artifact(report)
        return str(run.url or f"{run.dir} (wandb sync {Path(run.dir).parent})")
