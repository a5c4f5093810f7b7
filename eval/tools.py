"""Load the models that metrics may use, as the options of a command name them."""

from dataclasses import dataclass
from typing import Any

from eval import bert, encoders
from eval.encoders import Tell
from eval.metrics.base import Tools
from eval.text import Normalise


@dataclass(frozen=True, slots=True)
class Models:
    """The models to load, each a folder or hub id, and the layer for BERTScore; ``None``: not asked for."""

    encoder: str | None = None
    bert: str | None = None
    layer: int | None = None


def load(normalise: Normalise, models: Models, tell: Tell = lambda _: None) -> tuple[Tools, dict[str, Any]]:
    """Return the tools, and the identity of each model for the record of a score."""
    stated: dict[str, Any] = {}
    encode = scorer = None
    if models.encoder:
        encode = encoders.sentences(models.encoder, tell)
        stated["encoder"] = encoders.identity(models.encoder)
    if models.bert:
        scorer, stated["bert_score"] = bert.load_bert(models.bert, models.layer, tell)
    return Tools(normalise, encode, scorer), stated
