"""The models that some metrics need: a sentence encoder and BERTScore's, with their hashes."""

from collections.abc import Callable, Sequence
from contextlib import chdir, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from converters.core.errors import InputError, first_line
from converters.io.jsonl import files_sha256
from converters.text import retrieval as encoders
from eval.metrics._normalise import Normalise
from eval.metrics.base import Bert, Encode, Floats, Tools

CHUNK = 1024  # texts encoded at a time
PAIRS = 2048  # pairs scored at a time: BERTScorer holds the embeddings of all texts of a call
WEIGHTS = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model")

Tell = Callable[[str], None]


def identity(name: str) -> dict[str, str]:
    """Return a model's identity: a folder's name and the hash of its files, or a hub id and its revision."""
    folder = Path(name)
    if folder.is_dir():
        files = {path for pattern in WEIGHTS for path in folder.rglob(pattern)}
        return {"name": folder.resolve().name, "sha256": files_sha256(folder, files)}
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(name, "config.json")
    return {"name": name, "revision": Path(cached).parent.name if isinstance(cached, str) else "unknown"}


def sentences(name: str, tell: Tell = lambda _: None) -> Encode:
    """Return the encoder of a folder or hub id; each distinct text is encoded once and kept, 4 bytes a dimension."""
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


def load_bert(name: str, layer: int | None = None, tell: Tell = lambda _: None) -> tuple[Bert, dict[str, Any]]:
    """Return BERTScore (Zhang et al. 2020) by a model, a folder or hub id, and what a score by it must state.

    ``layer`` is the layer whose output is compared, by default the one that the package found best. An ``InputError`` if the
    package, the model or the layer is missing.
    """
    try:
        from bert_score.utils import model2layers
    except ImportError as error:
        raise InputError("--bert-score needs the package bert-score: pip install 'ecom-llm-recipes[score]'") from error
    layer = layer or model2layers.get(name, model2layers.get(Path(name).name))
    if layer is None:
        raise InputError(f"--bert-score: bert-score knows no best layer of {name!r}; name one with --bert-layer")
    settings = {"layer": layer, "idf": False, "rescaled": False, "version": metadata.version("bert-score")}
    return memoised(_scorer(name, layer).score, name, tell), {**identity(name), **settings}


def _scorer(name: str, layer: int) -> Any:
    from bert_score import BERTScorer
    from huggingface_hub import snapshot_download
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name)
        depth = getattr(config, "num_hidden_layers", 0)
        if config.is_encoder_decoder or not 1 <= layer <= depth:
            raise InputError(f"--bert-score: found layer {layer} of {name!r}, expected an encoder's, 1 to {depth}")
        # bert-score loads a T5 wherever a model's path has "t5" in it, so such a path must not reach it.
        hidden = "t5" in name and (name if Path(name).is_dir() else snapshot_download(name))
        with chdir(hidden) if hidden else nullcontext():
            scorer = BERTScorer("." if hidden else name, num_layers=layer)
    except (OSError, ValueError) as error:
        raise InputError(f"--bert-score: {name!r} is not a model like BERT: {first_line(error)}") from error
    # A tokenizer that states no limit would let a text run past the model's positions.
    limit = config.max_position_embeddings - 2
    scorer._tokenizer.model_max_length = min(scorer._tokenizer.model_max_length, limit)
    return scorer


def memoised(score: Callable[[list[str], list[str]], Any], name: str, tell: Tell) -> Bert:
    """Return the best F1 of each answer over its references; a pair is scored once, an empty text is worth 0.

    Pairs are sorted by their reference, so that one call embeds each reference once. bert-score never sees empty texts: it
    crashes on them under transformers 5.
    """
    known: dict[tuple[str, str], float] = {}

    def best(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        pairs = {(answer, ref) for answer, refs in zip(answers, references, strict=True) for ref in refs}
        fresh = sorted((p for p in pairs - known.keys() if p[0].strip() and p[1].strip()), key=lambda p: p[::-1])
        for start in range(0, len(fresh), PAIRS):
            chunk = fresh[start : start + PAIRS]
            *_, f1 = score([answer for answer, _ in chunk], [reference for _, reference in chunk])
            known.update(zip(chunk, f1.clip(0, 1).tolist(), strict=True))
            if len(fresh) > PAIRS:
                tell(f"{name}: {start + len(chunk):,} of {len(fresh):,} pairs compared")
        columns = zip(answers, references, strict=True)
        return np.array([max((known.get((answer, ref), 0.0) for ref in refs), default=0.0) for answer, refs in columns])

    return best


@dataclass(frozen=True, slots=True)
class Models:
    """The models to load, each a folder or hub id, and the layer for BERTScore; ``None``: none."""

    encoder: str | None = None
    bert: str | None = None
    layer: int | None = None


def load(normalise: Normalise, models: Models, tell: Tell = lambda _: None) -> tuple[Tools, dict[str, Any]]:
    """Return the tools, and the identity of each model for the record of a score."""
    identities: dict[str, Any] = {}
    encode = scorer = None
    if models.encoder:
        encode = sentences(models.encoder, tell)
        identities["encoder"] = identity(models.encoder)
    if models.bert:
        scorer, identities["bert_score"] = load_bert(models.bert, models.layer, tell)
    return Tools(normalise, encode, scorer), identities
