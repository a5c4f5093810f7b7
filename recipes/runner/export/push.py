"""Uploading a run's model to the Hugging Face Hub, with its card: only what verifies, and only its own files.

One commit holds weights, configuration, tokenizer, the card and ``.eval_results``. Logs, optimizer states and whatever else lies
in the folder stay here. Addresses and tokens are huggingface_hub's own: ``HF_ENDPOINT``, ``HF_TOKEN`` or ``hf auth login``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.core.errors import InputError, first_line
from eval.report import card, hub
from eval.results import runs
from recipes.runner.records import provenance
from recipes.runner.records import verify as chain
from recipes.runner.records.layout import ADAPTER, MERGED

KINDS = (".safetensors", ".json", ".jinja", ".model", ".tiktoken")
NAMES = re.compile(r"(LICEN[CS]E|NOTICE|tokenizer\.model|merges\.txt|vocab\.txt).*", re.IGNORECASE)
STATE = ("trainer_state.json", "training_args.json")  # of the training, not of the model
# A file there that an upload of another kind or size has left, and that a loader would take instead of, or beside, ours.
LOADED = re.compile(r".*\.(safetensors|bin|index\.json|gguf)|adapter_config\.json")
_REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """What would be uploaded: files of the checkpoint by their name there, texts written for it, and what stays here."""

    repository: str
    files: Mapping[str, Path]
    texts: Mapping[str, str]
    left: Sequence[str]


def plan(run: Path, repository: str, merged: bool, told: hub.Told) -> Upload:
    """Return what is to be uploaded; a run that does not verify, has no such model or no scores is an ``InputError``."""
    if not _REPOSITORY.fullmatch(repository):
        raise InputError(f"--to {repository!r}: expected owner/name, a repository of yours on the hub")
    record, name = provenance.read(run), MERGED if merged else ADAPTER
    folder = run / name
    if f"{name}_sha256" not in record or not folder.is_dir():
        made = f"make merge-{run.name}" if merged else f"make train-RECIPE RUN={run.name}"
        raise InputError(f"{folder}: no such model of this run; make it with: {made}")
    for link in chain.verify(run):
        if link.state == chain.BROKEN:
            fault = f"broken at '{link.name}': {link.subject} is not what the run was made from"
            raise InputError(f"{run}: not uploaded, {fault} (ecom-train verify {run.name})")
    here = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files = {path: file for path, file in here.items() if _of_model(path)}
    if not any(path.endswith(".safetensors") for path in files):
        raise InputError(f"{folder}: has no weights")
    texts = {"README.md": card.text(run, merged, told), **hub.eval_results(runs.read_run(run), told.benchmarks)}
    return Upload(repository, files, texts, [path for path in here if path not in files and path not in texts])


def _of_model(path: str) -> bool:
    """Tell whether a checkpoint's file is part of the model; folders of checkpoints and hidden files are not.

    >>> [_of_model(name) for name in ("model.safetensors", "debug.log", "checkpoint-8/model.safetensors", "LICENSE.txt")]
    [True, False, False, True]
    """
    plain = "/" not in path and not path.startswith(".") and path not in STATE
    return plain and (path.endswith(KINDS) or NAMES.fullmatch(path) is not None)


def only_here(run: Path) -> Iterator[str]:
    """Yield what a reader of the adapter could not load: a base model that is a folder of this machine."""
    base = provenance.read(run)["base_model"]
    if base["sha256"]:
        yield f"the adapter's base is {base['name']}, a folder of this machine: nobody else can load it"


def push(upload: Upload, private: bool) -> str:
    """Upload in one commit and return its address; what the hub refuses, or a repository unfit for it, is an ``InputError``."""
    from httpx import HTTPError
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    api = HfApi()
    files = [CommitOperationAdd(name, str(path)) for name, path in upload.files.items()]
    texts = [CommitOperationAdd(name, text.encode()) for name, text in upload.texts.items()]
    try:
        api.create_repo(upload.repository, private=private, exist_ok=True)
        there = api.model_info(upload.repository)
        _check(upload, [file.rfilename for file in there.siblings or ()], private and there.private is False)
        done = api.create_commit(upload.repository, [*files, *texts], commit_message="Upload model, card and scores")
    except (HfHubHTTPError, HTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled, ValueError) as error:
        raise InputError(f"{upload.repository}: the hub took nothing: {first_line(error)}") from error
    return str(done.commit_url)


def _check(upload: Upload, there: Sequence[str], public: bool) -> None:
    if public:
        raise InputError(
            f"{upload.repository}: is there, and public; nothing was uploaded: make it private, or add --public"
        )
    beside = [name for name in there if LOADED.fullmatch(name) and name not in upload.files]
    if beside:
        raise InputError(
            f"{upload.repository}: has {', '.join(beside[:3])}, which this model does not replace and a loader would read beside "
            "it; nothing was uploaded: remove them there, or name another repository"
        )
