"""How long texts are: in tokens of a tokenizer file, or in characters where none is given.

Reads ``tokenizer.json`` (tokenizers), SentencePiece models (sentencepiece) and Mistral's ``tekken.json`` (tiktoken). What is
counted is the text alone. The chat template adds its tokens to every turn (about ten a row, some families' up to a hundred),
and ``ecom-train check`` counts with it.
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

from converters.core.errors import InputError

Lengths = NDArray[np.uint32]
NAMES = ("tokenizer.json", "tekken.json", "tokenizer.model")  # in a checkpoint's folder, the first that is there


@dataclass(frozen=True, slots=True)
class Ruler:
    """``measure`` returns the length of each text in ``unit``; ``file`` is the tokenizer's, ``None`` for characters."""

    unit: str
    measure: Callable[[Sequence[str]], Lengths]
    file: Path | None = None


def ruler(name: str | Path | None, threads: int = 1) -> Ruler:
    """Return what measures with a tokenizer file, or a folder that has one; an unreadable one is an ``InputError``."""
    if name is None:
        return Ruler("characters", lambda texts: np.fromiter(map(len, texts), np.uint32, len(texts)))
    path = _file(Path(name))
    data = path.read_bytes()
    try:
        encode = _json(path, json.loads(data), threads) if data[:1] == b"{" else _pieces(path, threads)
    except ImportError as error:
        raise InputError(
            f"{path}: counting its tokens needs {error.name}, which is not installed: pip install {error.name}, or leave "
            "the tokenizer out to count characters"
        ) from error
    except InputError:
        raise
    except Exception as error:  # each library raises what it likes for a broken file
        raise _unknown(path, str(error)) from error
    return Ruler("tokens", lambda texts: np.fromiter(map(len, encode(list(texts))), np.uint32, len(texts)), path)


def _file(path: Path) -> Path:
    if path.is_dir():
        path = next((path / name for name in NAMES if (path / name).is_file()), path)
    if not path.is_file():
        found = f"no {', '.join(NAMES)} in it" if path.is_dir() else "nothing"
        raise InputError(f"{path}: found {found}, expected a tokenizer.json, a tekken.json or a SentencePiece model")
    return path


def _unknown(path: Path, why: str) -> InputError:
    return InputError(f"{path}: found {why[:80]!r}, expected a tokenizer.json, a tekken.json or a SentencePiece model")


def _json(path: Path, tree: dict[str, Any], threads: int) -> Callable[[list[str]], list[Any]]:
    if isinstance(tree.get("vocab"), list) and "pattern" in tree.get("config", {}):
        return _tekken(tree, threads)
    if "model" not in tree:
        raise _unknown(path, f"JSON with {', '.join(tree)}")
    found = import_module("tokenizers").Tokenizer.from_file(str(path))
    found.no_truncation()  # a checkpoint's file may say to cut texts, which would hide the long ones
    found.no_padding()
    return lambda texts: found.encode_batch_fast(texts, add_special_tokens=False)


def _tekken(tree: dict[str, Any], threads: int) -> Callable[[list[str]], list[list[int]]]:
    config = tree["config"]
    used = tree["vocab"][: config["default_vocab_size"] - config["default_num_special_tokens"]]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in used}
    encoding = import_module("tiktoken").Encoding(
        "tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={}
    )
    return lambda texts: encoding.encode_ordinary_batch(texts, num_threads=threads)


def _pieces(path: Path, threads: int) -> Callable[[list[str]], list[list[int]]]:
    found = import_module("sentencepiece").SentencePieceProcessor(model_file=str(path))
    return lambda texts: found.encode(texts, out_type=int, num_threads=threads)
