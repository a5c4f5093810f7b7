"""Where ``apply`` writes, and whether it may: nothing that is read, or that a person has edited, is overwritten."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, not_a_file
from converters.io import jsonl
from eval.inference import predict
from eval.production.applying import review
from eval.production.applying.learnt import ATTRIBUTES, CATEGORY

LABELS = "labels"  # of the products whose chunk is answered


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything is written: the labelled catalogue, and beside it the rows left out, those to review, and the record."""

    out: Path

    @property
    def rejects(self) -> Path:
        """The rows that could not be used, a line each with place and reason."""
        return self.out.with_name(f"{self.out.name}.rejects.jsonl")

    @property
    def review(self) -> Path:
        """The products that a person has to look at."""
        return self.out.with_name(f"{self.out.name}.review.csv")

    @property
    def record(self) -> Path:
        """What was labelled with what, and how many rows became what."""
        return self.out.with_name(f"{self.out.name}.json")

    @property
    def lock(self) -> Path:
        """What the process that writes holds."""
        return self.out.with_name(f".{self.out.name}.lock")

    def partial(self, name: str, depends_on: Any) -> Path:
        """Return a file that an interrupted run resumes from."""
        return predict.partial_file(self.out.parent, f"{self.out.name}.{name}", depends_on)

    def unlink_review(self) -> None:
        """Remove the review of an earlier run, for one that decides nothing."""
        for path in (self.review, review.mapping_of(self.review)):
            path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what a run resumes from, and what one that was killed left half-written."""
        for name in (LABELS, CATEGORY, ATTRIBUTES):
            predict.remove_partial(self.out.parent, f"{self.out.name}.{name}")
        for path in (self.out, self.rejects, self.review, review.mapping_of(self.review), self.record):
            jsonl.remove_half_written(path)


def check(file: Path, out: Path) -> None:
    """Raise an ``InputError`` for a catalogue that is no file, and for files that may not be overwritten."""
    if not file.is_file():
        raise not_a_file(file)
    files = Files(out)
    for place in (out, files.rejects, files.review, files.record):
        if place.exists() and place.samefile(file):
            raise InputError(f"--out {out}: would overwrite the catalogue itself")
    if out.is_dir():
        raise InputError(f"--out {out}: is a folder, expected a file such as {out / 'labelled.csv'}")
    if files.record.is_file() and files.review.is_file():
        written = jsonl.decode(files.record.read_bytes(), dict[str, Any], str(files.record)).get("review_sha256")
        if written != jsonl.sha256(files.review):
            raise InputError(
                f"{files.review}: was edited since it was written, and would be written anew: rename it first"
            )


def make_folder(out: Path) -> None:
    """Make the folder of ``out``; one in which no file can be made is an ``InputError``."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InputError(f"--out {out}: its folder cannot be written to: {error.strerror}") from error
