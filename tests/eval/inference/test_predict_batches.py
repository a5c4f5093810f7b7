"""Prompts that are answered together have the answers that each has alone, whatever network, padding and end."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from eval.answers.base import Schema, Texts
from eval.inference.backends._batches import MOST, begun_alike, by_rows, by_tokens
from eval.inference.backends.base import Plan, Prompt

SIZES: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "initializer_range": 0.3, "pad_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
LINEAR = {"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
ENDS = [*range(2, 97, 6)]  # so many that random answers end at different steps
LONGEST = 20


def prompts(count: int, seed: int = 1) -> list[Prompt]:
    """Return prompts that begin alike, of different lengths."""
    draw = random.Random(seed)
    begin = [draw.randrange(30, 97) for _ in range(20)]
    rest = [[draw.randrange(30, 97) for _ in range(draw.randrange(1, 15))] for _ in range(count)]
    return [Prompt(str(n), [], ids=(*begin, *ids)) for n, ids in enumerate(rest)]


def network(kind: str) -> Any:
    import torch
    import transformers

    from eval.inference.backends.base import auto_class

    configs: dict[str, Any] = {
        "grouped heads": lambda: transformers.LlamaConfig(**SIZES),
        "learnt positions": lambda: transformers.GPT2Config(
            vocab_size=97, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3, eos_token_id=2, bos_token_id=1
        ),
        "a window": lambda: transformers.MistralConfig(**SIZES, sliding_window=12),
        "a state": lambda: transformers.Qwen3_5TextConfig(**SIZES, **LINEAR),
        "no positions": lambda: transformers.BloomConfig(
            vocab_size=97, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.3
        ),
    }
    config = configs[kind]()
    auto = auto_class(config)
    torch.manual_seed(0)
    return auto.from_config(config).eval()


def loaded(kind: str) -> Any:
    from eval.inference.backends import _decoding, transformers

    made, tokenizer = network(kind), SimpleNamespace(pad_token_id=0)
    return transformers.Model(made, tokenizer, None, ENDS, "cpu", "float32", _decoding.can_share(made))  # type: ignore[arg-type]


def generated(model: Any, ids: Any, mask: Any, **how: Any) -> list[list[int]]:
    """Return what transformers' own loop generates."""
    import torch
    from transformers import GenerationConfig

    config = GenerationConfig(max_new_tokens=LONGEST, eos_token_id=ENDS, pad_token_id=0, **how)
    with torch.inference_mode():
        output = model.network.generate(input_ids=ids, attention_mask=mask, generation_config=config)
    lines: list[list[int]] = output[:, ids.shape[1] :].tolist()
    return lines


@pytest.mark.parametrize(
    ("kind", "shares"),
    [
        ("grouped heads", True),
        ("learnt positions", True),
        ("a window", False),
        ("a state", False),
        ("no positions", False),
    ],
)
def test_a_batch_is_answered_as_each_of_its_prompts_alone(kind: str, shares: bool) -> None:
    import torch

    from eval.inference.backends import transformers

    model, asked = loaded(kind), prompts(9)
    assert model.shares == shares and begun_alike(asked) == 20
    lines, told = transformers._decoded(model, Plan("", LONGEST, confidence=True), asked)
    ids = [torch.tensor([prompt.ids]) for prompt in asked]
    alone = [generated(model, each, torch.ones_like(each), do_sample=False)[0] for each in ids]
    assert lines == alone
    assert len({*map(len, lines)}) > 2  # rows left the batch while others went on
    for each, line, values in zip(ids, lines, told, strict=True):
        whole = torch.cat([each, torch.tensor([line])], 1)
        with torch.inference_mode():
            scores = model.network(whole).logits[0, each.shape[1] - 1 : -1].log_softmax(1)
        expected = scores.gather(1, torch.tensor(line)[:, None])[:, 0].tolist()
        assert values[: len(line)] == pytest.approx(expected, abs=1e-4)


def test_draws_are_those_of_transformers_own_loop() -> None:
    import zlib

    import torch

    from eval.inference.backends import transformers

    model, asked = loaded("grouped heads"), prompts(5)
    lines, _ = transformers._decoded(model, Plan("", LONGEST, temperature=0.8, seed=3), asked)
    width = max(len(prompt.ids) for prompt in asked)
    ids = torch.tensor([[0] * (width - len(prompt.ids)) + list(prompt.ids) for prompt in asked])
    torch.manual_seed(zlib.crc32(b"3\x000"))
    drawn = generated(model, ids, (ids > 0).long(), do_sample=True, temperature=0.8, top_k=0, top_p=1.0)
    assert all(line == other[: len(line)] for line, other in zip(lines, drawn, strict=True))
    assert len({*map(len, lines)}) > 1


def test_a_cache_with_room_holds_what_transformers_own_holds() -> None:
    import torch
    from transformers.cache_utils import DynamicLayer

    from eval.inference.backends._decoding import MORE, Roomy

    ours, theirs, draw = Roomy(), DynamicLayer(), random.Random(0)
    torch.manual_seed(0)
    rows = 6
    for columns in (3, 1, 1, MORE + 5, 1, *[1] * (2 * MORE), 2):
        states = torch.rand(2, rows, 2, columns, 4)
        for got, expected in zip(ours.update(*states), theirs.update(*states), strict=True):
            assert torch.equal(got, expected)
        if draw.random() < 0.3:
            kept = torch.tensor(draw.choices(range(rows), k=draw.randrange(1, 8)))
            ours.reorder_cache(kept)
            theirs.reorder_cache(kept)
            rows = len(kept)
        assert ours.get_seq_length() == theirs.get_seq_length() and torch.equal(ours.keys, theirs.keys)


def test_batches_are_the_same_in_any_order_and_bounded() -> None:
    draw = random.Random(0)
    limits = (None, Texts(("a",)), Schema(("b",)))
    asked = [
        Prompt(str(n), [], draw.choice(limits), kind=draw.choice("xyz"), ids=(1,) * int(draw.paretovariate(1) * 5))
        for n in range(500)
    ]
    size, answer = 8, 10
    batches = by_tokens(asked, size, answer)
    assert sorted(prompt.id for batch in batches for prompt in batch) == sorted(prompt.id for prompt in asked)
    room = size * (max(len(prompt.ids) for prompt in asked) + answer)
    for batch in batches:
        assert len({(type(prompt.limit), prompt.kind) for prompt in batch}) == 1
        assert len(batch) <= MOST * size and len(batch) * (len(batch[0].ids) + answer) <= room
    widths = [[len(prompt.ids) for prompt in batch] for batch in batches]
    assert all(width == sorted(width, reverse=True) for width in widths)
    assert [width[0] for width in widths] == sorted((width[0] for width in widths), reverse=True)
    assert max(map(len, batches)) == MOST * size
    rows = by_rows(asked, size)
    for _ in range(3):
        draw.shuffle(asked)
        assert by_tokens(asked, size, answer) == batches
        assert sorted(by_rows(asked, size), key=repr) == sorted(rows, key=repr)
    assert by_tokens([], size, answer) == []
    few = [Prompt(str(n), [], kind=str(n), ids=(1,)) for n in range(size)]
    assert by_tokens(few, size, answer) == [few]


def test_what_prompts_begin_with_leaves_each_something_to_ask() -> None:
    def of(*lines: tuple[int, ...]) -> int:
        return begun_alike([Prompt("", [], ids=ids) for ids in lines])

    assert of((1, 2), (1, 2), (1, 2)) == 1
    assert of((1, 2, 3), (1, 2)) == 1
    assert of((1, 2, 3), (4, 2, 3)) == 0
    assert of((5, 1, 9), (5, 1, 2, 7), (5, 1, 3)) == 2
