"""trackio: SQLite on this disk (``TRACKIO_DIR``, else the Hugging Face cache), and a Space on the hub if one is named.

https://huggingface.co/docs/trackio. ``trackio show --project PROJECT`` opens it. What is on this disk is compared and completed;
a Space gets a copy of it, which trackio keeps apart by the ids of its lines.
"""

import contextlib
import sys
from typing import Any

from eval.trackers.base import Sent, as_drawn, last_step

PACKAGE = "trackio"


def send(sent: Sent, project: str, uri: str | None) -> str:
    """Put a run into ``project`` and return where it is; ``uri`` names a Space, ``owner/name``, to copy the project to."""
    with contextlib.redirect_stdout(sys.stderr):  # it prints how to open a dashboard
        import trackio
        from trackio.sqlite_storage import SQLiteStorage
        from trackio.utils import TRACKIO_DIR

        name = sent.named["trackio"].get("run", sent.identity)
        known = SQLiteStorage.get_logs(project, name)
        config = {**sent.settings, "hashes": dict(sent.hashes)}
        files = [path.resolve() for path in sent.files.values()]
        run = trackio.init(project, name, config=config, resume="allow", embed=False, auto_log_gpu=False)
        for step, numbers in _new(sent, known):
            run.log(numbers, step=step)
        with contextlib.chdir(
            sent.folder.resolve().parent
        ):  # below it a file keeps its path: two runs' reports are two files
            for path in files:
                trackio.save(path)
        run.finish()
        if uri:
            trackio.sync(project, uri, private=True)
    return f"project {project!r}, run {name!r} in {TRACKIO_DIR}{f' and https://huggingface.co/spaces/{uri}' if uri else ''}"


def _new(sent: Sent, known: list[dict[str, Any]]) -> list[tuple[int, dict[str, float]]]:
    """Return by step what the run there lacks: points of the curve, and scores that are new or have changed."""
    points = {(line["step"], key, value) for line in known for key, value in line.items()}
    latest = {key: value for line in known for key, value in line.items()}
    drawn = ((step, {as_drawn(key): value for key, value in numbers.items()}) for step, numbers in sent.curve)
    curve = [(step, {k: v for k, v in numbers.items() if (step, k, v) not in points}) for step, numbers in drawn]
    scores = {key: value for key, value in sent.scores.items() if latest.get(key) != value}
    return [(step, numbers) for step, numbers in [*curve, (last_step(sent), scores)] if numbers]
