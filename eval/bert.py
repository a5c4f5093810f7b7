"""BERTScore F1 (Zhang et al., arXiv:1904.09675) by the package ``bert-score``, without idf weights and without rescaling.

The package matches tokens and knows each model's best layer. The model is loaded here, since the package takes a model for T5
when ``t5`` stands anywhere in its path. Version 0.3.13 crashes on an empty text under transformers 5: an empty answer is worth 0
and is never asked about. References are embedded once a run, whatever is compared with them: the answers, then each trivial
predictor's.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import InputError
from eval.encoders import Tell, identity
from eval.metrics.base import Bert, Floats

BATCH = 64
HELD = 1 << 30  # bytes of reference embeddings that are kept; those beyond are embedded again

Embedding = tuple[Any, Any]  # tokens × d vectors, and the weight of each token: 0 for those that the tokenizer adds


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model; ``held`` are the embeddings that are kept, ``sizes`` their bytes in all."""

    network: Any
    tokenizer: Any
    weights: Any
    held: dict[str, Embedding] = field(default_factory=dict)
    sizes: Counter[str] = field(default_factory=Counter)


def load(name: str, layer: int | None = None, tell: Tell = lambda _: None) -> tuple[Bert, dict[str, Any]]:
    """Return BERTScore by a model, a folder or hub id, and what a score by it must state.

    ``layer`` is the one whose output is compared: by default the one that the package found best. Without the package, the model
    or the layer: an ``InputError``.
    """
    try:
        from bert_score.utils import model2layers
    except ImportError as error:
        raise InputError(
            "option --bert-score: found no package bert-score, expected it: pip install 'ecom-llm-recipes[score]'"
        ) from error
    layer = layer or model2layers.get(name, model2layers.get(Path(name).name))
    if layer is None:
        raise InputError(f"option --bert-score: found no best layer of {name!r} in bert-score, expected --bert-layer")
    model = _model(name, layer)
    stated = {
        **identity(name),
        "layer": layer,
        "idf": False,
        "rescaled": False,
        "version": metadata.version("bert-score"),
    }
    return _scorer(model, name, tell), stated


def _model(name: str, layer: int) -> Model:
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(name)
        depth = getattr(config, "num_hidden_layers", 0)
        if config.is_encoder_decoder or not 1 <= layer <= depth:
            raise InputError(
                f"option --bert-score: found layer {layer} of {name!r}, expected an encoder's, 1 to {depth}"
            )
        tokenizer = AutoTokenizer.from_pretrained(name, use_fast=False)
        network = AutoModel.from_pretrained(name, num_hidden_layers=layer).eval()
    except (OSError, ValueError) as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise InputError(f"option --bert-score: found {name!r}, expected a model like BERT: {first}") from error
    # A tokenizer that states no limit would let a text run past the model's positions.
    tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings - 2)
    weights = defaultdict(lambda: 1.0, {tokenizer.sep_token_id: 0.0, tokenizer.cls_token_id: 0.0})
    return Model(network.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer, weights)


def _scorer(model: Model, name: str, tell: Tell) -> Bert:
    def best(said: Sequence[str], references: Sequence[Sequence[str]]) -> Floats:
        found = np.zeros(len(said))
        pairs = [(n, text, ref) for n, text in enumerate(said) for ref in references[n] if text.strip() and ref.strip()]
        pairs.sort(key=lambda pair: len(pair[1]))  # texts of a length pad each other least
        for start in range(0, len(pairs), BATCH):
            chunk = pairs[start : start + BATCH]
            np.maximum.at(found, [n for n, *_ in chunk], _matched(model, [pair[1:] for pair in chunk]))
            if start and start % (BATCH * 50) == 0:
                tell(f"{name}: {start:,} of {len(pairs):,} pairs compared")
        return found

    return best


def _matched(model: Model, pairs: Sequence[tuple[str, str]]) -> Floats:
    """Return the F1 of each pair (answer, reference), within 0 and 1."""
    from bert_score.utils import greedy_cos_idf

    said, targets = ([pair[side] for pair in pairs] for side in (0, 1))
    answers = _embedded(model, [text for text in said if text not in model.held])
    known = model.held | answers | _kept(model, [text for text in targets if text not in model.held])
    stats = [_padded([known[text] for text in texts], model.network.device) for texts in (targets, said)]
    *_, f1 = greedy_cos_idf(*stats[0], *stats[1])
    return np.asarray(f1.cpu().numpy().clip(0, 1), dtype=np.float64)


def _kept(model: Model, texts: Sequence[str]) -> dict[str, Embedding]:
    found = _embedded(model, texts)
    fresh = sum(vectors.nbytes for vectors, _ in found.values())
    if model.sizes["bytes"] + fresh <= HELD:
        model.held.update(found)
        model.sizes["bytes"] += fresh
    return found


def _embedded(model: Model, texts: Sequence[str]) -> dict[str, Embedding]:
    """Return the embedding of each distinct text, on the CPU."""
    import torch
    from bert_score.utils import collate_idf

    texts = list(dict.fromkeys(texts))
    if not texts:
        return {}
    ids, weights, lengths, mask = collate_idf(texts, model.tokenizer, model.weights, device=model.network.device)
    with torch.no_grad():
        vectors = model.network(ids, attention_mask=mask)[0].cpu()
    return {
        text: (vectors[n, :length].clone(), weights[n, :length].clone())
        for n, (text, length) in enumerate(zip(texts, lengths.tolist(), strict=True))
    }


def _padded(found: Sequence[Embedding], device: Any) -> tuple[Any, Any, Any]:
    """Return padded vectors, their mask and weights, as the package pads them."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    lengths = torch.tensor([len(vectors) for vectors, _ in found])
    vectors = pad_sequence([vectors for vectors, _ in found], batch_first=True, padding_value=2.0)
    weights = pad_sequence([weights for _, weights in found], batch_first=True)
    mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    return vectors.to(device), mask.to(device), weights.to(device)
