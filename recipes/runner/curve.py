"""The loss curve of a run as a picture, ``loss.svg``, beside its figures, ``logs/history.jsonl``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.io.jsonl import replacing

PICTURE, HISTORY = "loss.svg", "logs/history.jsonl"


def draw(path: Path, title: str, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw training and validation loss over steps as SVG, the same bytes for the same history.

    ``history`` is the trainer's: one mapping a logging step, with its ``step``. Losses that are no numbers leave a gap.
    """
    from matplotlib import rc_context  # half a second that the start of a training need not wait for
    from matplotlib.figure import Figure

    with replacing(path) as file, rc_context({"svg.hashsalt": "loss", "svg.fonttype": "none"}):
        axes = (figure := Figure(figsize=(7.6, 3.6), layout="constrained")).subplots()
        axes.set_title(f"{title}: loss", loc="left", parse_math=False)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        for key, name in (("loss", "training"), ("eval_loss", "validation")):
            if curve := [(entry["step"], float(entry[key])) for entry in history if key in entry]:
                axes.plot(*zip(*curve, strict=True), label=f"{name} {curve[-1][1]:.4f}", gid=key)
                axes.legend()
        figure.savefig(file, format="svg", metadata={"Date": None})
