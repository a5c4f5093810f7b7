"""Confidence from a model on this machine: the model's own probabilities, token by token, and the same predictions without it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from converters import tasks
from converters.io import jsonl
from converters.schema import Row
from eval.answers.base import Schema, Texts
from eval.inference import prompts
from eval.inference.backends.base import Answer, Plan, Prompt

MAX = 10
ROOT = ("Home > Kitchen > Kettles", "Home > Kitchen > Mugs", "Home", "Sports > Tents", "Sports > Tents for two")
NEAR = 1e-4


@pytest.fixture
def products() -> int:
    return 3


def ask(
    checkpoint: Path, rows: list[Row], paths: tuple[str, ...] | None = None, **plan: Any
) -> list[tuple[Prompt, Answer]]:
    """Return each prompt with its answer; ``paths``: answers are constrained."""
    from eval.inference.backends import transformers

    made = Plan("", **{"batch_size": 4, "max_new_tokens": MAX, "confidence": True, **plan})
    model = transformers.load(str(checkpoint), made)
    asked = [Prompt(row.id, row.prompt, None if paths is None else prompts.limit(row, paths)) for row in rows]
    batches = transformers.batches(model, made, asked)
    found = {answer.id: answer for batch in transformers.answers(model, made, batches) for answer in batch}
    return [(prompt, found[prompt.id]) for batch in batches for prompt in batch]


def reference(
    checkpoint: Path, prompt: Prompt, allowed: Callable[[list[int]], Any], line: list[int] | None = None
) -> Any:
    """Return an answer's ids and log-probabilities by a whole forward pass a token, alone and without a cache.

    ``allowed`` gives the ids that may follow those before; the likeliest one does, if ``line`` does not say which.
    """
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    said, values = list[int](), list[float]()
    while len(said) < MAX and said[-1:] != [model.config.eos_token_id] and (line is None or len(said) < len(line)):
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt.ids, *said]])).logits[0, -1]
        masked = torch.full_like(logits, float("-inf"))
        masked[allowed(said)] = logits[allowed(said)]
        said.append(int(masked.argmax()) if line is None else line[len(said)])
        values.append(float(masked.log_softmax(-1)[said[-1]]))
    return said, values


def told(answer: Answer) -> list[float]:
    return [value for _, value in answer.logprobs]


def test_free_answers_have_the_models_own_probabilities(tiny_checkpoint: Path, rows: list[Row]) -> None:
    found = ask(tiny_checkpoint, rows[:6])
    assert len({len(prompt.ids) for prompt, _ in found[:4]}) > 1  # padded
    for prompt, answer in found:
        _, values = reference(tiny_checkpoint, prompt, lambda _: slice(None))
        assert len(values) == answer.tokens and told(answer) == pytest.approx(values, abs=NEAR)
        ends = [end for end, _ in answer.logprobs]
        assert ends == sorted(ends)
        assert len(str(answer.prediction)) - 3 <= ends[-1] <= len(str(answer.prediction))  # cut within a character


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_answers_held_to_texts_have_the_probability_among_those(
    tiny_checkpoint: Path, rows: list[Row], temperature: float
) -> None:
    """At any temperature it is the model's own: a temperature changes what is drawn, not how sure the model is of it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    held = [row for row in rows if row.task in ("category", "choice", "yes_no")]
    found = ask(tiny_checkpoint, held, ROOT, temperature=temperature, max_new_tokens=60)
    assert len(found) == 9
    for prompt, answer in found:
        assert isinstance(prompt.limit, Texts) and answer.prediction in prompt.limit.texts
        lines = [
            [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
            for text in prompt.limit.texts
        ]
        line = lines[prompt.limit.texts.index(str(answer.prediction))]

        def allowed(said: list[int], lines: list[list[int]] = lines) -> list[int]:
            return sorted({other[len(said)] for other in lines if other[: len(said)] == said})

        _, values = reference(tiny_checkpoint, prompt, allowed, line[:MAX])
        assert told(answer)[:MAX] == pytest.approx(values, abs=NEAR)
        assert [end for end, _ in answer.logprobs] == [
            len(tokenizer.decode(line[: n + 1], skip_special_tokens=True)) for n in range(len(line))
        ]


def test_answers_held_to_json_have_the_probability_under_its_grammar(tiny_checkpoint: Path, rows: list[Row]) -> None:
    import xgrammar
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer), stop_token_ids=[1])
    for prompt, answer in ask(tiny_checkpoint, [row for row in rows if row.task == "attributes"], ()):
        assert isinstance(prompt.limit, Schema)
        grammar = xgrammar.GrammarCompiler(info).compile_json_schema(
            prompt.limit.json, any_whitespace=False, separators=(", ", ": ")
        )

        def allowed(said: list[int], grammar: Any = grammar) -> list[int]:
            matcher, mask = xgrammar.GrammarMatcher(grammar), xgrammar.allocate_token_bitmask(1, len(tokenizer))
            assert all(matcher.accept_token(id_) for id_ in said)
            matcher.fill_next_token_bitmask(mask)
            return [id_ for id_ in range(len(tokenizer)) if int(mask[0, id_ // 32]) >> id_ % 32 & 1]

        _, values = reference(tiny_checkpoint, prompt, allowed)
        assert told(answer) == pytest.approx(values, abs=NEAR)
        assert str(answer.prediction).startswith('{"Brand": ')


WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"candidates": 2},
    "sampled": {"temperature": 1.5, "seed": 3},
    "constrained": {"constrain": {"tasks": {}}, "candidates": 2, "max_new_tokens": 60},
}


@pytest.mark.parametrize("way", WAYS)
def test_predictions_are_the_same_with_confidence_and_without(
    tiny_checkpoint: Path, rows: list[Row], tmp_path: Path, way: str
) -> None:
    from eval.inference.predict import predict

    def run(name: str, progress: Any = lambda *_: None, **more: Any) -> list[bytes]:
        plan = Plan("", **{"batch_size": 4, "max_new_tokens": MAX, **WAYS[way], **more})
        clock = iter(map(float, range(10**6))).__next__
        predict("transformers", str(tiny_checkpoint), rows, plan, tmp_path / name, progress, clock, ROOT)
        return (tmp_path / name / "predictions.jsonl").read_bytes().splitlines()

    def stop(done: int, _: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    plain, sure = run("plain"), run("sure", confidence=True)
    parted = [json.loads(line) for line in sure]
    units = [line.pop("confidence", {}) for line in parted]
    assert [json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() for line in parted] == plain
    for row, line, found in zip(rows, parted, units, strict=True):
        answer = tasks.get(row.task).parse(line["prediction"])
        readable = answer is not None and tasks.get(row.task).settle(answer, row.extra) is not None
        assert bool(found) == readable and all(0 < value <= 1 for value in found.values()), (row.id, line, found)
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop)
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop, confidence=True)
    assert len(list((tmp_path / "stopped").iterdir())) == 2  # each resumes from its own
    assert run("stopped", confidence=True) == sure
    records = [json.loads((tmp_path / name / "predictions.json").read_bytes()) for name in ("plain", "sure", "stopped")]
    by = "probabilities of the tokens at temperature 1, among those that a constraint allows"
    assert "confidence" not in records[0] and records[0]["decoding"] == records[1]["decoding"]
    assert records[1]["confidence"] == records[2]["confidence"] == {"by": by, "not_available": 0}


def tokenizers() -> Iterator[tuple[str, Any]]:
    """Yield a byte-level tokenizer, and one as Llama 2 has it: spaces as ▁, one before the first word, and bytes as <0xE7>."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    level = Tokenizer(models.BPE())
    level.pre_tokenizer, level.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    level.train_from_iterator(["Home > Mugs"] * 5, trainer)
    yield "byte level", PreTrainedTokenizerFast(tokenizer_object=level, bos_token="<s>", eos_token="</s>")
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁HomeMugs>a红"]
    merges = [("H", "o"), ("m", "e"), ("Ho", "me"), ("▁", "Home"), ("▁", ">"), ("▁", "M"), ("u", "g"), ("ug", "s")]
    words = [*dict.fromkeys(words), *("".join(pair) for pair in merges)]
    fallback = Tokenizer(
        models.BPE({word: id_ for id_, word in enumerate(words)}, merges, unk_token="<unk>", byte_fallback=True)
    )
    fallback.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    fallback.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    fallback.add_special_tokens(["<unk>", "<s>", "</s>"])
    yield "byte fallback", PreTrainedTokenizerFast(tokenizer_object=fallback, bos_token="<s>", eos_token="</s>")


SAID = ["Home > Mugs", " Home  > Mugs ", "保温杯 > 红 🫖", "Home 🫖🫖Mugs é", "H", "", "Home\n> Mugs"]


@pytest.mark.parametrize("text", SAID)
def test_each_token_ends_where_the_text_up_to_it_does(text: str) -> None:
    """By the bytes that each token of these two tokenizers stands for, which no decoding is asked for."""
    from eval.inference.backends._offsets import ends
    from eval.inference.backends.base import decode

    for name, tokenizer in tokenizers():
        line = [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        said = decode(tokenizer, line)
        spelt = [written(name, token) for token in tokenizer.convert_ids_to_tokens(line)]
        lost = len(b"".join(spelt)) - len(said.encode())
        assert lost == (name == "byte fallback" and b"".join(spelt)[:1] == b" "), (name, said)
        places = [max(0, len(b"".join(spelt[: n + 1])) - lost) for n in range(len(spelt))]
        assert ends(tokenizer, line, said) == [len(said.encode()[:at].decode(errors="ignore")) for at in places], name
        assert ends(tokenizer, line, said)[-1] == len(said)


def written(name: str, token: str) -> bytes:
    """Return the bytes that a token stands for."""
    if token == "</s>":
        return b""
    if name == "byte fallback":
        return bytes([int(token[3:5], 16)]) if token.startswith("<0x") else token.replace("▁", " ").encode()
    table = [*range(33, 127), *range(161, 173), *range(174, 256)]  # as GPT-2 spells bytes: these by themselves
    others = [byte for byte in range(256) if byte not in table]
    back = {chr(byte): byte for byte in table} | {chr(256 + n): byte for n, byte in enumerate(others)}
    return bytes(back[letter] for letter in token)


def test_tokens_that_write_no_whole_text_never_go_back() -> None:
    """Cut within a character, bytes that are none, control tokens in the middle: as a random model says them."""
    import random

    from eval.inference.backends._offsets import ends
    from eval.inference.backends.base import decode

    draw = random.Random(0)
    for _, tokenizer in tokenizers():
        for length in (1, 2, 5, 40):
            line = [draw.randrange(1, len(tokenizer)) for _ in range(length)]
            said = decode(tokenizer, line)
            found = ends(tokenizer, line, said)
            assert len(found) == length and found == sorted(found) and found[-1] <= len(said), (line, said)


def test_score_says_the_same_with_confidence_and_without(
    cli: Any, rows: list[Row], test_file: Path, tmp_path: Path
) -> None:
    scores = []
    for name, more in (("plain", {}), ("sure", {"confidence": {"answer": 0.5}})):
        file = tmp_path / name / "predictions.jsonl"
        jsonl.write_lines(file, [{"id": row.id, "prediction": row.target, **more} for row in rows])
        found = cli("score", "--data", test_file, "--predictions", file, "--out", tmp_path / name, "--resamples", 100)
        assert found.exit_code == 0, found.output
        scores.append(json.loads((tmp_path / name / "scores.json").read_bytes())["tasks"])
        assert b"confidence" not in (tmp_path / name / "rows.jsonl").read_bytes()
    assert scores[0] == scores[1]
