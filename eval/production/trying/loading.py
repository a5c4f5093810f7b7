"""What the page needs of a run: what it has learnt, its model, loaded once for both kinds of questions, and its calibration."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from eval.inference import backends, checkpoint
from eval.inference.backends.base import Backend, Plan
from eval.inference.predict import Clock
from eval.production.applying import apply, catalog, learnt
from eval.production.applying.decisions import calibration_of
from eval.production.applying.labels import Labeller
from eval.production.applying.learnt import Learnt
from eval.production.asking import training
from eval.production.asking.answering import Settings
from eval.production.asking.store import Store
from eval.production.asking.training import Context
from eval.production.confidence import Calibration
from eval.production.trying.views import About

TITLE, OTHER = "Title", "Description"  # what is asked for of a product where the run learnt from no catalogue
ONE_BY_ONE = {"paths": None, "accept_unanswered": None}  # of apply's options, those for whole files
LISTED = 200  # products that are proposed for a question
OF_QUESTIONS = {
    "given": "--option",
    **{name: f"--{name}" for name in ("reviews", "index", "rebuild", "floor", "encoder")},
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run before its model is loaded.

    ``learnt`` is ``None`` where it cannot label products, ``context`` where no catalogue is there to answer questions from.
    ``options`` are the command line's.
    """

    folder: Path
    backend: str
    options: Mapping[str, Any]
    learnt: Learnt | None
    like: catalog.Chosen
    context: Context | None
    remarks: tuple[str, ...]

    @property
    def checkpoint(self) -> Path:
        """The checkpoint that answers."""
        return self.folder / checkpoint.MERGED

    @property
    def plan(self) -> Plan:
        """How answers are generated: as ``apply`` does. Nothing of it changes what a question is answered."""
        tasks = self.learnt.tasks if self.learnt else ()
        return apply.plan_of(self.options, self.checkpoint, tasks, self.paths, "")

    @property
    def paths(self) -> tuple[str, ...]:
        """The category paths that answers are constrained to."""
        return self.learnt.paths if self.learnt and self.options["constrain"] else ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run ready to answer: its model, its calibration, what makes prompts, and the index of a catalogue.

    ``noted`` counts what was done to the texts of the product under way; ``ids`` are those of category paths.
    """

    run: Prepared
    module: Backend
    model: Any
    plan: Plan
    calibration: Calibration | None
    labeller: Labeller | None
    noted: Counter[str]
    ids: Mapping[str, str]
    store: Store | None
    settings: Settings


def prepared(name: str, backend: str, options: Mapping[str, Any]) -> Prepared:
    """Check a run and a command line's options before anything is loaded; what is wrong is an ``InputError``.

    A run that labels no products may still answer questions from a catalogue, and then a remark says why it does not label.
    """
    for key, flag in OF_QUESTIONS.items():
        if options[key] and not options["catalog"]:
            raise InputError(f"{flag} needs --catalog: without one no questions are answered")
    folder, local = learnt.folder_of(name), backend != "openai"
    if local:
        checkpoint.require(str(folder / checkpoint.MERGED))
    context = training.context_of(folder, None, options["encoder"]) if options["catalog"] else None
    remarks = list(context.remarks) if context else []
    known: Learnt | None = None
    like = catalog.Chosen(None)
    try:
        known = learnt.read(name, local)
    except InputError as error:
        if context is None:
            raise
        remarks.append(f"no products are labelled here: {error}")
    if known:
        like = catalog.chosen(known.manifests, options["entry"])
        remarks += apply.remarks(known, like, known.paths)
    run = Prepared(folder, backend, {**ONE_BY_ONE, **options}, known, like, context, tuple(remarks))
    calibration_of(folder, None, None, run.plan.constrain is not None)
    return run


def load(run: Prepared, store: Store | None, clock: Clock) -> Loaded:
    """Load a run's model; the calibration of another one is an ``InputError``. ``store`` is the index of the catalogue."""
    module, plan, noted = backends.get(run.backend), run.plan, Counter[str]()
    model = module.load(str(run.checkpoint), plan)
    sha256 = module.describe(model, plan).get("checkpoint_sha256")
    calibration = calibration_of(run.folder, sha256, None, plan.constrain is not None)
    labeller, ids = None, dict[str, str]()
    if run.learnt:
        entry, most = catalog.limited(run.like.read_as, run.learnt.longest_row, run.learnt.merged)
        ask, known = catalog.asking(entry, run.learnt.longest, noted, most), frozenset(run.learnt.paths)
        labeller = Labeller(module, model, plan, run.learnt, ask, run.paths, calibration, clock, known=known)
        ids, _ = catalog.ids(entry, run.learnt.manifests, run.learnt.paths)
    settings = Settings(run.options["floor"])
    return Loaded(run, module, model, plan, calibration, labeller, noted, ids, store, settings)


def about(loaded: Loaded) -> About:
    """Return what the page says of the run."""
    run, store, calibration = loaded.run, loaded.store, loaded.calibration
    texts = run.like.texts if run.like.entry else [OTHER]
    listed = [(name, store.texts(number).title) for number, name in enumerate(store.ids[:LISTED])] if store else []
    return About(
        run=run.folder.name,
        backend=run.backend,
        texts=(TITLE, *texts) if run.learnt else (),
        precision=calibration.precision if calibration else None,
        catalog=Path(run.options["catalog"]).name if store else "",
        products=listed,
        remarks=run.remarks,
    )
