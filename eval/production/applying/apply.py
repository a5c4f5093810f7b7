"""``ecom-eval apply``: check everything, load the model, label the products, then write the shop's own rows with their labels."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from converters.core.errors import InputError, not_a_file
from converters.io import jsonl
from eval.inference import backends, predict, prompts
from eval.inference.backends.base import Endpoint, Plan
from eval.inference.predict import Clock, Progress
from eval.production.applying import catalog, labels, learnt, own, review, shops, tables
from eval.production.applying.catalog import Catalog, Chosen
from eval.production.applying.decisions import ACCEPT, FILE, REVIEW, calibration_of
from eval.production.applying.labels import Labeller, Labels
from eval.production.applying.learnt import ATTRIBUTES, CATEGORY, Learnt
from eval.production.applying.own import Own

Tell = Callable[[str], None]
DECIDED = (ACCEPT, REVIEW, "categories", "attributes", "attributes_asked")  # products, and parts of them that are taken
ENCODE = msgspec.json.Encoder().encode


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

    def partial(self, name: str, depends_on: Any) -> Path:
        """Return a file that an interrupted run resumes from."""
        return predict.partial_file(self.out.parent, f"{self.out.name}.{name}", depends_on)


@dataclass(frozen=True, slots=True)
class Work:
    """All that is known before a model is loaded. ``ids`` are those of category paths, ``paths`` constrain the answers."""

    learnt: Learnt
    like: Chosen
    catalog: Catalog
    own: Own
    ids: Mapping[str, str]
    paths: tuple[str, ...]
    columns: Mapping[str, tables.Cell]
    files: Files
    options: Mapping[str, Any]
    told: Sequence[str]


def prepared(run: str, file: Path, out: Path, backend: str, options: Mapping[str, Any]) -> Work:
    """Check run, catalogue and a command line's options before anything is loaded; what is wrong is an ``InputError``."""
    tables.need_ending(out)
    shops.check(options["form"], out)
    _check_places(file, out)
    known = learnt.read(run, local=backend != "openai")
    calibration_of(known.folder, None, options["precision"], options["constrain"])
    like = catalog.chosen(known.manifests, options["entry"])
    seen = catalog.opened(file, like, options["option"])
    ids = catalog.ids(seen.entry)
    columns, written = tables.added(known, ids), own.of(seen)
    own.need_free(written, [*columns] if options["form"] is None else ())
    paths = prompts.read_paths(options["paths"]) if options["paths"] else known.paths
    told = [*seen.lines, *remarks(known, like, paths), *_other_texts(seen, like)]
    return Work(
        known, like, seen, written, ids, paths if options["constrain"] else (), columns, Files(out), options, told
    )


def _check_places(file: Path, out: Path) -> None:
    if not file.is_file():
        raise not_a_file(file)
    files = Files(out)
    out.parent.mkdir(parents=True, exist_ok=True)
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


def remarks(known: Learnt, like: Chosen, paths: tuple[str, ...]) -> list[str]:
    """Return what a user should know before anything is labelled."""
    lines = []
    if like.entry is None:
        lines.append("the run was trained on no catalogue: texts are read as the file shows them, and none is cut")
    if CATEGORY not in known.tasks:
        lines.append("the run has not learnt category paths: no category is predicted")
    if ATTRIBUTES not in known.tasks:
        lines.append("the run has not learnt attributes: none are predicted")
    unknown = len({*paths} - {*known.paths})
    if unknown and CATEGORY in known.tasks:
        lines.append(
            f"taxonomy: {unknown:,} of {len(paths):,} paths never occur in training: no calibration holds for them"
        )
    return lines


def _other_texts(seen: Catalog, like: Chosen) -> list[str]:
    """Say in which texts a prompt differs from those of training."""
    here, there = list(seen.options.get("texts") or {}), like.texts
    more, less = [each for each in here if each not in there], [each for each in there if each not in here]
    lines = [f"texts that training never showed: {', '.join(more)}"] if more and like.entry else []
    return lines + [f"texts that training showed and this file has not: {', '.join(less)}"] * bool(less)


def plan_of(options: Mapping[str, Any], merged: Path, tasks: Sequence[str], paths: Sequence[str], sha256: str) -> Plan:
    """Return how answers are generated, for the backend and the record.

    ``options`` are a command line's, ``merged`` is the checkpoint. ``tasks`` are those whose answers are constrained if the
    options say so, categories to ``paths``; ``sha256`` is the hash of what is asked about.
    """
    url, network = options["base_url"], ("concurrency", "timeout", "retries")
    kinds = {CATEGORY: "texts", ATTRIBUTES: "json_schema"}
    file = options["paths"]
    constrain = {
        "tasks": {task: kinds[task] for task in tasks},
        "paths_sha256": jsonl.sha256(file) if file else None,
        "paths": len(paths),
    }
    return Plan(
        sha256,
        **{name: options[name] for name in ("max_new_tokens", "batch_size", "choice_as", "accept_unanswered")},
        candidates=options["candidates"] or 0,
        constrain=constrain if options["constrain"] and tasks else None,
        endpoint=Endpoint(url, options["model"] or str(merged), **{name: options[name] for name in network})
        if url
        else None,
        confidence=True,
    )


def apply(work: Work, backend: str, progress: Progress, clock: Clock, chunk: int = labels.CHUNK) -> dict[str, Any]:
    """Label a catalogue and write it with its record, which is returned; ``progress`` hears of (products done, all products).

    ``chunk`` products are asked about at a time.
    """
    known, module, files = work.learnt, backends.get(backend), work.files
    plan = plan_of(work.options, known.merged, known.tasks, work.paths, jsonl.sha256(work.catalog.path))
    model = module.load(str(work.learnt.merged), plan)
    origin = module.describe(model, plan)
    precision = work.options["precision"]
    constrained = plan.constrain is not None
    calibration = calibration_of(work.learnt.folder, origin.get("checkpoint_sha256"), precision, constrained)
    cut = Counter[str]()
    ask = catalog.asking(work.catalog.entry, work.learnt.longest, cut)
    settings = _settings(work, plan) | {"confidence": {"by": module.confidence_by(model, plan)}}
    if plan.candidates:
        settings["candidates"] = {"count": plan.candidates, "by": module.ranked_by(model, plan)}
    calibrated_by = jsonl.sha256(work.learnt.folder / FILE) if calibration else None
    depends_on = [settings, origin, calibrated_by, chunk]
    labeller = Labeller(
        module, model, plan, work.learnt, ask, work.paths, calibration, clock, precision is not None, chunk
    )
    kept = files.partial("labels", depends_on)
    answers = {task: files.partial(task, depends_on) for task in (CATEGORY, ATTRIBUTES)}
    items, total = catalog.items(work.catalog), work.catalog.products
    found = labels.written(labeller, items, kept, answers, progress, total)
    files.record.unlink(missing_ok=True)  # it describes the files of an earlier run, which are replaced now
    counts = _write(work, found, calibration is not None)
    record = {
        "run": work.learnt.folder.name,
        **origin,
        **settings,
        "calibration_sha256": calibrated_by,
        "precision": calibration.precision if calibration else None,
        **counts,
        "noted": dict(cut),
        **_effort(labeller),
        "out_sha256": jsonl.sha256(files.out),
        "review_sha256": jsonl.sha256(files.review) if calibration else None,
    }
    jsonl.write_json(files.record, record)
    for name in ("labels", *answers):
        predict.remove_partial(files.out.parent, f"{files.out.name}.{name}")
    return record


def _settings(work: Work, plan: Plan) -> dict[str, Any]:
    return {
        "catalog": str(work.catalog.path),
        "catalog_sha256": plan.test_sha256,
        "options": dict(work.catalog.options),
        "trained_on": work.learnt.train,
        "prompts": catalog.shaping(work.catalog.entry),
        "tasks": list(work.learnt.tasks),
        "decoding": plan.decoding,
    }


def _write(work: Work, found: Labels, decided: bool) -> dict[str, Any]:
    """Write the labelled rows, those left out, and those to review; return how many there are of each."""
    files, names = work.files, work.learnt.asked.every if ATTRIBUTES in work.learnt.tasks else ()
    form, texts = work.options["form"], list(work.catalog.options.get("texts") or {})
    counts, reasons = Counter[str](), Counter[str]()
    with ExitStack() as stack:
        into = (
            shops.writing(files.out, form, work.own, names, work.like.options)
            if form
            else tables.writing(files.out, work.own, work.columns)
        )
        write, left = stack.enter_context(into), stack.enter_context(jsonl.replacing(files.rejects))
        look = stack.enter_context(review.writing(files.review, texts, names)) if decided else None
        for line in work.own.lines(found):
            counts["read"] += 1
            if line.label.reason:
                reasons[line.label.reason] += 1
                left.write(ENCODE({"where": line.where, "reason": line.label.reason}) + b"\n")
                continue
            counts["labelled"] += 1
            write(line)
            if line.where == line.label.where:
                counts["products"] += 1
                _count(counts, line.label)
                if look and line.label.decision == REVIEW:
                    look(line.label)
    decisions = {name: counts[name] for name in DECIDED} if decided else None
    rows = {name: counts[name] for name in ("read", "labelled", "products")}
    return {**rows, "rejected": dict(reasons.most_common()), "decisions": decisions}


def _count(counts: Counter[str], label: labels.Label) -> None:
    """Count what is taken of a product."""
    counts[label.decision] += 1
    counts["categories"] += label.path_decision == ACCEPT
    counts["attributes"] += sum(decision == ACCEPT for decision in label.decisions.values())
    counts["attributes_asked"] += len(label.asked)


def _effort(labeller: Labeller) -> dict[str, Any]:
    """Return what the answers of this sitting took."""
    prompts, tokens, seconds = (
        (sum(each) for each in zip(*labeller.spent, strict=True)) if labeller.spent else (0, 0, 0.0)
    )
    return {"sitting": {"prompts": prompts, "generated_tokens": tokens, "seconds": round(seconds, 3)}}
