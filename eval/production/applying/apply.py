"""``ecom-eval apply``: check everything, load the model, label the products, then write the shop's own rows with their labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from converters.core.errors import InputError
from converters.io import jsonl
from eval.inference import backends, prompts
from eval.inference.backends.base import Backend, Endpoint, Plan
from eval.inference.predict import Clock, Find, Progress
from eval.production.applying import catalog, labels, learnt, own, places, review, shops, tables
from eval.production.applying.catalog import Catalog, Chosen
from eval.production.applying.decisions import ACCEPT, FILE, REVIEW, UNKNOWN, calibration_of
from eval.production.applying.labels import Labeller, Labels
from eval.production.applying.learnt import ATTRIBUTES, CATEGORY, Learnt
from eval.production.applying.own import Own
from eval.production.applying.places import LABELS, Files

DECIDED = (ACCEPT, REVIEW, "categories", "attributes", "attributes_asked")  # products, and parts of them that are taken
REASONS = 3  # why no row can be labelled, the most frequent
ENCODE = msgspec.json.Encoder().encode


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
    places.check(file, out)
    known = learnt.read(run, local=backend != "openai")
    calibration_of(known.folder, None, options["precision"], options["constrain"])
    like = catalog.chosen(known.manifests, options["entry"])
    seen = catalog.cut(catalog.opened(file, like, options["option"]), known.longest_row, known.merged)
    ids, about_ids = catalog.ids(seen.entry, known.manifests, known.paths)
    columns, written = tables.added(known, ids), own.of(seen)
    own.need_free(written, [*columns] if options["form"] is None else ())
    paths = prompts.read_paths(options["paths"]) if options["paths"] else known.paths
    told = [*seen.lines, *remarks(known, like, paths), *about_ids, *_other_texts(seen, like)]
    places.make_folder(out)
    return Work(
        known, like, seen, written, ids, paths if options["constrain"] else (), columns, Files(out), options, told
    )


def remarks(known: Learnt, like: Chosen, paths: tuple[str, ...]) -> list[str]:
    """Return what a user should know before anything is labelled."""
    lines = []
    if like.entry is None:
        lines.append("the run was trained on no catalogue: texts are read as the file shows them")
    if CATEGORY not in known.tasks:
        lines.append("the run has not learnt category paths: no category is predicted")
    if ATTRIBUTES not in known.tasks:
        lines.append("the run has not learnt attributes: none are predicted")
    unknown = len({*paths} - {*known.paths})
    if unknown and CATEGORY in known.tasks:
        lines.append(
            f"taxonomy: {unknown:,} of {len(paths):,} paths never occur in training: no calibration holds for them"
        )
    missing = len({*known.paths} - {*paths})
    if missing and CATEGORY in known.tasks:
        lines.append(
            f"taxonomy: {missing:,} of training's {len(known.paths):,} paths are not to choose from: no category is accepted, "
            "as no calibration holds among fewer"
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


def apply(
    work: Work,
    backend: str,
    progress: Progress,
    clock: Clock,
    chunk: int = labels.CHUNK,
    find: Find = backends.get,
) -> dict[str, Any]:
    """Label a catalogue and write it with its record, which is returned; ``progress`` hears of (products done, all products).

    ``chunk`` products are asked about at a time; ``find`` gives the backend by its name.
    """
    files = work.files
    with jsonl.locked(files.lock, files.out):
        try:
            record = _apply(work, find(backend), progress, clock, chunk)
            files.clean()
        finally:
            files.lock.unlink(missing_ok=True)
    return record


def _apply(work: Work, module: Backend, progress: Progress, clock: Clock, chunk: int) -> dict[str, Any]:
    trained, files = work.learnt, work.files
    plan = plan_of(work.options, trained.merged, trained.tasks, work.paths, jsonl.sha256(work.catalog.path))
    model = module.load(str(trained.merged), plan)
    origin = module.describe(model, plan)
    precision = work.options["precision"]
    constrained = plan.constrain is not None
    calibration = calibration_of(trained.folder, origin.get("checkpoint_sha256"), precision, constrained)
    cut = Counter[str]()
    ask = catalog.asking(work.catalog.entry, trained.longest, cut, work.catalog.most)
    settings = _settings(work, plan) | {"confidence": {"by": module.confidence_by(model, plan)}}
    if plan.candidates:
        settings["candidates"] = {"count": plan.candidates, "by": module.ranked_by(model, plan)}
    calibrated_by = jsonl.sha256(trained.folder / FILE) if calibration else None
    depends_on = [settings, origin, calibrated_by, chunk]
    strict, known = precision is not None, frozenset(trained.paths)
    narrowed = constrained and not known <= {*work.paths}
    labeller = Labeller(
        module, model, plan, trained, ask, work.paths, calibration, clock, strict, chunk, known, narrowed
    )
    kept = files.partial(LABELS, depends_on)
    answers = {task: files.partial(task, depends_on) for task in (CATEGORY, ATTRIBUTES)}
    items, total = catalog.items(work.catalog), work.catalog.products
    found = labels.written(labeller, items, kept, answers, progress, total)
    _need_products(work, found)
    if jsonl.sha256(work.catalog.path) != plan.test_sha256:
        raise InputError(f"{work.catalog.path}: was changed while it was labelled; run the same command again")
    places.check(work.catalog.path, files.out)  # a person may have begun to review what an earlier run wrote
    files.record.unlink(missing_ok=True)  # it describes the files of an earlier run, which are replaced now
    if calibration is None:
        files.unlink_review()
    counts = _write(work, found, calibration is not None)
    record = {
        "run": work.learnt.folder.name,
        **origin,
        **settings,
        "confidence": settings["confidence"] | {"not_available": counts.pop("not_available")},
        "calibration_sha256": calibrated_by,
        "precision": calibration.precision if calibration else None,
        **counts,
        "sitting": _effort(labeller) | {"noted": dict(cut)},
        "out_sha256": jsonl.sha256(files.out),
        "review_sha256": jsonl.sha256(files.review) if calibration else None,
    }
    jsonl.write_json(files.record, record)
    return record


def _need_products(work: Work, found: Labels) -> None:
    """Raise an ``InputError`` where there is nothing to write: what an earlier run wrote stays as it is."""
    if all(label.reason for label in found):
        reasons = Counter(label.reason for label in found).most_common(REASONS)
        work.files.clean()
        raise InputError(
            f"{work.catalog.path}: none of its rows can be labelled: {', '.join(reason for reason, _ in reasons)}"
        )


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
        look = stack.enter_context(review.writing(files.review, texts, names, work.like.options)) if decided else None
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
    unknown = counts["not_available"]
    return {**rows, "rejected": dict(reasons.most_common()), "decisions": decisions, "not_available": unknown}


def _count(counts: Counter[str], label: labels.Label) -> None:
    """Count what is taken of a product."""
    counts[label.decision] += 1
    counts["categories"] += label.path_decision == ACCEPT
    counts["attributes"] += sum(decision == ACCEPT for decision in label.decisions.values())
    counts["attributes_asked"] += len(label.asked)
    counts["not_available"] += UNKNOWN in label.why


def _effort(labeller: Labeller) -> dict[str, Any]:
    """Return what the answers of this sitting took."""
    prompts, tokens, seconds = (
        (sum(each) for each in zip(*labeller.spent, strict=True)) if labeller.spent else (0, 0, 0.0)
    )
    return {"prompts": prompts, "generated_tokens": tokens, "seconds": round(seconds, 3)}
