"""When an index is built: if there is none, or it is asked for. One of other files or options is never used in silence."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from converters.core.errors import InputError, not_a_file
from converters.io.files import unpacked_size
from converters.io.jsonl import sha256
from eval.production.asking import store, texts

ROLES = CATALOG, REVIEWS = "catalogue", "reviews"
PLACES: dict[store.Vectors, str] = {"file": "a file of its own", "chroma": "Chroma"}


def index(
    folder: Path,
    catalog: Path,
    reviews: Path | None,
    options: Mapping[str, Any],
    encoder: str | None,
    rebuild: bool,
    tell: Callable[[str], object],
    vectors: store.Vectors = "file",
) -> store.Record:
    """Return the record of the index in ``folder``, which is built first if there is none or with ``rebuild``.

    One that was built from a catalogue or reviews that have changed since, or with other options or another encoder, is an
    ``InputError``, as is a folder with other things in it. ``tell`` is given a sentence on what is built.
    """
    files = [catalog, *([reviews] if reviews else [])]
    for path in files:
        if not path.is_file():
            raise not_a_file(path)
    hashes = {role: sha256(path) for role, path in zip(ROLES, files, strict=False)}
    wanted = store.Record(store.FORMAT, hashes, _plain(options), encoder, vectors=vectors)
    known = None if rebuild else store.record_of(folder)
    if folder.exists() and not _may_be_replaced(folder):
        raise InputError(f"{folder}: is no index and not empty; name another folder with --index")
    if known is not None:
        if changed := _changed(known, wanted):
            raise InputError(f"{folder}: the index is older than its texts: {changed}; build it again with --rebuild")
        return known
    tell(f"indexing {', '.join(map(str, files))} into {folder}")
    made = store.build(texts.read(catalog, reviews, options), folder, wanted, unpacked_size(files))
    tell(f"indexed {made.products:,} products, {made.snippets:,} snippets{_left_out(made.rejected)}")
    return made


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they come out of a JSON file."""
    return dict(msgspec.json.decode(msgspec.json.encode(dict(options))))


def _may_be_replaced(folder: Path) -> bool:
    return folder.is_dir() and ((folder / store.RECORD).is_file() or not any(folder.iterdir()))


def _changed(known: store.Record, wanted: store.Record) -> str:
    """Say what an index was built from that is now another thing, "" if nothing is."""
    if known.files.keys() != wanted.files.keys():
        return f"it was built {'with' if REVIEWS in known.files else 'without'} {REVIEWS}"
    if changed := [role for role in known.files if known.files[role] != wanted.files[role]]:
        return f"{' and '.join(changed)} changed since"
    if known.options != wanted.options:
        return "other options of the catalogue"
    if known.encoder != wanted.encoder:
        return "another encoder"
    return "" if known.vectors == wanted.vectors else f"its vectors are in {PLACES[known.vectors]}"


def _left_out(rejected: Mapping[str, int]) -> str:
    return "".join(f"\nleft out: {number:,} {reason}" for reason, number in rejected.items())
