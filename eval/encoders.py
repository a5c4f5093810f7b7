"""Sentence encoders for scoring: texts as unit vectors, each encoded once a run; a model's identity."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from converters.io.jsonl import files_sha256
from converters.text import retrieval as encoders
from eval.metrics.base import Encode, Floats

CHUNK = 1024
WEIGHTS = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model")

Tell = Callable[[str], None]


def identity(name: str) -> dict[str, str]:
    """Return a model's identity: a folder's name and the hash of its files, or a hub id and its revision."""
    folder = Path(name)
    if not folder.is_dir():
        return {"name": name, "revision": _revision(name)}
    files = {path for pattern in WEIGHTS for path in folder.rglob(pattern)}
    return {"name": folder.resolve().name, "sha256": files_sha256(folder, files)}


def _revision(name: str) -> str:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(name, "config.json")
    return Path(path).parent.name if isinstance(path, str) else "unknown"


def sentences(name: str, tell: Tell = lambda _: None) -> Encode:
    """Return the encoder of a folder or hub id; each distinct text is encoded once and kept.

    Memory: 4 bytes per dimension and distinct text, 150 MB for 100,000 of them at 384 dimensions.
    """
    encode = encoders.load(name)
    places: dict[str, int] = {}
    vectors: list[Floats] = []

    def encoded(texts: Sequence[str]) -> Floats:
        fresh = [text for text in dict.fromkeys(texts) if text not in places]
        for start in range(0, len(fresh), CHUNK):
            vectors.extend(encode(fresh[start : start + CHUNK]))
            if len(fresh) > CHUNK:
                tell(f"{name}: {min(start + CHUNK, len(fresh)):,} of {len(fresh):,} texts encoded")
        places.update(zip(fresh, range(len(places), len(vectors)), strict=True))
        return np.asarray([vectors[places[text]] for text in texts], dtype=np.float64)

    return encoded
