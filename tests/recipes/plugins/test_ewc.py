"""EWC: Fisher information, penalty and the trainer's step against their definitions, and what it is for: an old task is kept."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from recipes.plugins.ewc import NAME, Anchor, EWCArgs, fisher, penalised, penalty, trained
from tests.recipes import _toy

RATE, STRENGTH = 0.1, 2.0


def anchors(network: Any, information: dict[str, Any]) -> list[Anchor]:
    return [Anchor(w, w.detach().clone(), information[name]) for name, w in trained(network).items()]


def test_fisher_is_the_mean_of_the_squared_gradients_of_each_rows_log_probability() -> None:
    network, rows = _toy.model(), _toy.rows(0, 3)
    frozen = "model.embed_tokens.weight"
    dict(network.named_parameters())[frozen].requires_grad = False
    found = fisher(network, (_toy.batch([row]) for row in rows))
    expected = {name: torch.zeros_like(weight) for name, weight in trained(network).items()}
    for row in rows:
        said = torch.log_softmax(network(input_ids=torch.tensor([row["input_ids"]])).logits[0], -1)
        learnt = [at for at, label in enumerate(row["labels"]) if label != -100]
        probability = torch.stack([said[at - 1, row["labels"][at]] for at in learnt]).sum()
        for name, one in zip(expected, torch.autograd.grad(probability, list(trained(network).values())), strict=True):
            expected[name] += one**2 / len(rows)
    assert found.keys() == expected.keys() and frozen not in found
    for name, one in found.items():
        assert torch.allclose(one, expected[name], rtol=1e-4, atol=1e-7) and float(one.sum()) > 0
    assert all(weight.grad is None for weight in network.parameters())


def test_penalty_and_its_gradient_are_those_of_the_definition() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(3, 4))
    start, information = torch.randn(3, 4), torch.rand(3, 4)
    found = penalty([Anchor(weight, start, information)], STRENGTH)
    found.backward()
    drift = weight.detach() - start
    assert float(found) == pytest.approx(float(STRENGTH / 2 * (information * drift**2).sum()), rel=1e-6)
    assert weight.grad is not None and torch.allclose(weight.grad, STRENGTH * information * drift, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_step_has_the_penalty_once_however_many_micro_batches_it_has(tmp_path: Path, parts: int) -> None:
    network, rows = _toy.model(), _toy.rows(0, 3)
    moved = [Anchor(w, w.detach() + 0.1, torch.rand_like(w)) for w in network.parameters()]
    there = copy.deepcopy(network)
    there(**_toy.batch(rows)).loss.backward()
    expected = [
        w.detach() - RATE * (w.grad + STRENGTH * a.fisher * (w.detach() - a.start))
        for w, a in zip(there.parameters(), moved, strict=True)
    ]
    keys = {"per_device_train_batch_size": _toy.NUMBERS // parts, "gradient_accumulation_steps": parts, "max_steps": 1}
    trainer = _toy.trainer(network, rows, tmp_path, **keys)
    trainer.compute_loss = penalised(trainer, moved, STRENGTH)  # type: ignore[method-assign]
    trainer.train()
    for weight, wanted in zip(network.parameters(), expected, strict=True):
        assert torch.allclose(weight, wanted, rtol=0, atol=1e-6)


def test_an_evaluation_has_no_penalty(tmp_path: Path) -> None:
    network, rows = _toy.model(), _toy.rows(0, 3)
    trainer = _toy.trainer(network, rows, tmp_path)
    moved = [Anchor(w, w.detach() + 1, torch.ones_like(w)) for w in network.parameters()]
    trainer.compute_loss = penalised(trainer, moved, STRENGTH)  # type: ignore[method-assign]
    assert trainer.evaluate(trainer.train_dataset)["eval_loss"] == pytest.approx(_toy.loss(network, rows), rel=1e-5)


def descended(network: Any, rows: list[_toy.Row], rate: float, goal: float, held: list[Anchor], strength: float) -> Any:
    """Return a copy of a network, trained until its loss on the rows is at the goal."""
    one = copy.deepcopy(network)
    moving = [Anchor(w, a.start, a.fisher) for w, a in zip(one.parameters(), held, strict=True)] if strength else []
    descent = torch.optim.SGD(one.parameters(), rate)
    for _ in range(1000):
        descent.zero_grad()
        found = one(**_toy.batch(rows)).loss
        if float(found) < goal:
            return one
        (found + penalty(moving, strength)).backward()
        descent.step()
    raise AssertionError(f"the loss is {float(found)} after 1,000 steps")


def test_an_old_task_is_kept_better_at_the_same_loss_on_the_new_one() -> None:
    """Both runs stop at one loss on the new task: a penalty that merely slowed learning down would not pass."""
    first, second = _toy.rows(0, 3), _toy.rows(1, 5)
    forgotten: dict[float, list[float]] = {0.0: [], 30.0: []}
    for seed in range(4):
        network = descended(_toy.model(seed), first, 0.3, 0.5, [], 0.0)
        held = anchors(network, fisher(network, (_toy.batch([row]) for row in first)))
        for strength, found in forgotten.items():
            after = descended(network, second, 0.003, 1.0, held, strength)
            found.append(_toy.loss(after, first) - _toy.loss(network, first))
    assert sum(forgotten[30.0]) < 0.85 * sum(forgotten[0.0]), forgotten


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "needs the key 'ewc_lambda'"),
        ({"ewc_lambda": 1.0}, "needs the key 'ewc_data'"),
        ({"ewc_lambda": 1.0, "ewc_data": "x", "deepspeed": "zero3.json"}, "EWC needs whole weights"),
    ],
)
def test_the_plugin_is_refused_without_its_keys_and_with_divided_weights(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        EWCArgs.model_validate({"plugins": [NAME], **keys})
