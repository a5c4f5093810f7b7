"""A run's model card: front matter for the hub, then data, recipe, scores, what it is not good at, prompts, and hashes.

Everything in it is from files of the run, and the scores are of the checkpoint that the card is for. Names of classes, attributes
and licences are anybody's text: the template escapes them. Raw files are named without their folders.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converters import examples, tasks
from converters.core.errors import InputError
from converters.schema import (
    Answerable,
    Attributes,
    Chat,
    Choice,
    Listing,
    Message,
    Question,
    Ranking,
    Row,
    Text,
    Verdict,
)
from eval.comparison.pairing import origin
from eval.report import hub, pages, run_page, weak
from eval.results import record, runs
from eval.results.record import Trained
from eval.results.schema import Run

_TEXTS = (Text("Title", "Norvik kettle, 1.5 l, red"),)
_TREE = (("Home",), ("Kitchen", "Garden"), ("Kettles", "Pans"), ())
_PATHS = ("Home > Kitchen > Kettles", "Home > Kitchen > Pans")
# An invented product for each kind of record: a card must not print a catalogue's rows.
INVENTED = (
    Listing("1", "1", _TEXTS, ("Home", "Kitchen", "Kettles"), "", _TREE, _PATHS),
    Attributes("1", "1", _TEXTS, (("Brand", ("Norvik",)), ("Capacity", ("1.5 l",)), ("Material", ()))),
    Question("1", "1", "Is it red?", ("It came in red.",), "Yes, it is red.", (1,)),
    Answerable("1", "1", "Is it red?", ("It came in red.",), True),
    Chat("1", "1", (Message("user", "Name a colour."), Message("assistant", "Red"))),
    Choice("1", "1", "Which product fits the query “red kettle”?", _TEXTS, ("Kettle", "Pan"), "Kettle"),
    Verdict("1", "1", "Does the product fit the query “red kettle”?", _TEXTS, True),
    Ranking("1", "1", "red kettle", ("Norvik kettle, red", "Norvik pan"), (1.0, 0.0)),
)


def text(folder: Path, merged: bool, told: hub.Told) -> str:
    """Return the card of a run's merged model, or of its adapter.

    A run that was not scored, or whose scores are of another checkpoint, is an :class:`InputError`.
    """
    trained, run = record.read(folder), runs.read_run(folder)
    scored = scored_checkpoint(trained, run)
    page = run_page.of_run(run)
    manifests = record.manifests(trained)
    known = [manifest for manifest in manifests.values() if manifest]
    context = page | {
        "front": hub.front_matter(trained, run, merged, hub.datasets(known), told),
        "merged": merged,
        "scored": scored,
        "base": record.hub_name(trained),
        "record": trained.record,
        "settings": record.settings(trained),
        "steps": max((int(line["step"]) for line in trained.history if "step" in line), default=None),
        "manifests": {Path(path).parent.name: manifest for path, manifest in manifests.items()},
        "forbidden": sorted({account["source"] for one in known for account in one["sources"] if _forbids(account)}),
        "weak": [(section["task"], weak.weaknesses(section)) for section in page["sections"]],
        "untested": weak.untested([*trained.record.get("rows", {})], [*run.scores.tasks]),
        "prompts": [(task, row) for task in run.scores.tasks if (row := _invented(task))],
        "decoding": origin(run).get("decoding") or {},
        "hashes": _hashes(trained, run),
        "benchmarks": told.benchmarks,
    }
    return str(pages.templates().get_template("card.md.j2").render(context))


def scored_checkpoint(trained: Trained, run: Run) -> str:
    """Return which of a run's checkpoints was scored, ``merged`` or ``adapter``; another one is an :class:`InputError`."""
    checkpoint = origin(run).get("checkpoint_sha256")
    for name in ("merged", "adapter"):
        if checkpoint and checkpoint == trained.record.get(f"{name}_sha256"):
            return name
    answers = f"answers of {str(origin(run).get('checkpoint') or 'no known checkpoint')!r}"
    raise InputError(f"{trained.folder}: its scores are of {answers}, not of this run's model: make eval-{run.name}")


def _forbids(account: Mapping[str, Any]) -> bool:
    return "not for commercial use" in account["licence"]  # as every source says it whose licence, or a part's, does


def _invented(task: str) -> Row | None:
    kind = tasks.get(task).record
    return next((examples.example(made, task, "card") for made in INVENTED if type(made) is kind), None)


def _hashes(trained: Trained, run: Run) -> list[tuple[str, Any]]:
    made, scores = trained.record, run.scores.provenance
    base, recipe, git = (made.get(key) or {} for key in ("base_model", "recipe", "git"))
    dirty = " with uncommitted changes" if git.get("dirty") else ""
    found: Sequence[tuple[str, Any]] = (
        ("base model", base.get("sha256") or base.get("revision")),
        *((f"mixture {Path(mix['manifest']).parent.name}", mix["sha256"]) for mix in made.get("mixes", ())),
        ("recipe", recipe.get("sha256")),
        ("code", f"{git['commit']}{dirty}" if git.get("commit") else None),
        ("adapter", made.get("adapter_sha256")),
        ("merged model", made.get("merged_sha256")),
        ("chat template", made.get("template_sha256")),
        ("test rows", scores.get("test_sha256")),
        ("predictions", scores.get("predictions_sha256")),
        ("scorer", scores.get("scorer_sha256")),
    )
    return [(name, value) for name, value in found if value]
