"""Measure texts in tokens of a tokenizer file, or in characters without one.

Reads ``tokenizer.json`` (tokenizers), SentencePiece models (sentencepiece) and Mistral's ``tekken.json`` (tiktoken). Only the
text is counted. A chat template adds about ten tokens a row, some families' up to a hundred; ``ecom-train check`` counts those.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.core.errors import InputError, not_a_file

Lengths = NDArray[np.uint32]
NAMES = ("tokenizer.json", "tekken.json", "tokenizer.model")  # of a checkpoint's folder, the first that exists counts
EXPECTED = "expected a tokenizer.json, a tekken.json or a SentencePiece model"


@dataclass(frozen=True, slots=True)
class Ruler:
    """``measure`` returns the length of each text in ``unit``; ``file`` is the tokenizer's, ``None`` for characters."""

    unit: str
    measure: Callable[[Sequence[str]], Lengths]
    file: Path | None = None


def ruler(name: str | Path | None, threads: int = 1) -> Ruler:
    """Return the ruler of a tokenizer file, or of a folder that has one; an unreadable one is an ``InputError``."""
    if name is None:
        return Ruler("characters", lambda texts: np.fromiter(map(len, texts), np.uint32, len(texts)))
    path = _file(Path(name))
    data = path.read_bytes()
    try:
        encode = _json(path, json.loads(data), threads) if data[:1] == b"{" else _pieces(path, threads)
    except ImportError as error:
        install = f"pip install {error.name}, or leave the tokenizer out to count characters"
        raise InputError(f"{path}: counting its tokens needs the package {error.name}: {install}") from error
    except Exception as error:  # each library raises errors of its own for a broken file
        raise InputError(f"{path}: found {str(error)[:80]!r}, {EXPECTED}") from error
    return Ruler("tokens", lambda texts: np.fromiter(map(len, encode(list(texts))), np.uint32, len(texts)), path)


def _file(path: Path) -> Path:
    if path.is_dir():
        path = next((path / name for name in NAMES if (path / name).is_file()), path)
    if path.is_dir():
        raise InputError(f"{path}: has none of {', '.join(NAMES)}")
    if not path.is_file():
        raise not_a_file(path)
    return path


def _json(path: Path, tree: dict[str, Any], threads: int) -> Callable[[list[str]], list[Any]]:
    if isinstance(tree.get("vocab"), list) and "pattern" in tree.get("config", {}):
        return _tekken(tree, threads)
    if "model" not in tree:
        raise ValueError(f"JSON with {', '.join(tree)}")
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(path))
    tokenizer.no_truncation()  # a checkpoint's file may say to cut texts, which would hide the long ones
    tokenizer.no_padding()
    return lambda texts: tokenizer.encode_batch_fast(texts, add_special_tokens=False)


def _tekken(tree: dict[str, Any], threads: int) -> Callable[[list[str]], list[list[int]]]:
    config = tree["config"]
    vocabulary = tree["vocab"][: config["default_vocab_size"] - config["default_num_special_tokens"]]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in vocabulary}
    kind = import_module("tiktoken").Encoding
    encoding = kind("tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})
    return lambda texts: encoding.encode_ordinary_batch(texts, num_threads=threads)


def _pieces(path: Path, threads: int) -> Callable[[list[str]], list[list[int]]]:
    model = import_module("sentencepiece").SentencePieceProcessor(model_file=str(path))
    return lambda texts: model.encode(texts, out_type=int, num_threads=threads)
