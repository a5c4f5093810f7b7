"""SAM's step, taken by the real trainer, against its definition written out."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from recipes.plugins.sam import SAM, climb
from tests.recipes import _toy

RATE, RHO = 0.1, 0.05


def gradient(network: Any, rows: list[_toy.Row], share: float) -> list[Any]:
    network.zero_grad()
    (network(**_toy.batch(rows)).loss * share).backward()
    return [weight.grad.clone() for weight in network.parameters()]


def by_definition(network: Any, parts: list[list[_toy.Row]]) -> list[Any]:
    """Return the weights after one step: w - rate * sum of the parts' gradients, each at its own w + rho g / |g|."""
    total = [torch.zeros_like(weight) for weight in network.parameters()]
    for rows in parts:
        there, share = copy.deepcopy(network), 1 / len(parts)
        found = gradient(there, rows, share)
        norm = torch.sqrt(sum((one**2).sum() for one in found))
        with torch.no_grad():
            for weight, one in zip(there.parameters(), found, strict=True):
                weight += RHO * one / norm
        for place, one in enumerate(gradient(there, rows, share)):
            total[place] += one
    return [weight.detach() - RATE * one for weight, one in zip(network.parameters(), total, strict=True)]


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_step_is_that_of_the_definition(tmp_path: Path, parts: int) -> None:
    network, rows, size = _toy.model().double(), _toy.rows(0, 3), _toy.NUMBERS // parts
    expected = by_definition(network, [rows[n : n + size] for n in range(0, len(rows), size)])
    plain = [weight.detach().clone() for weight in network.parameters()]
    keys = {"per_device_train_batch_size": size, "gradient_accumulation_steps": parts, "max_steps": 1}
    trainer = _toy.trainer(network, rows, tmp_path, **keys)
    SAM().post_trainer_create(SimpleNamespace(sam_rho=RHO), trainer)
    trainer.train()
    for weight, wanted in zip(network.parameters(), expected, strict=True):
        assert torch.allclose(weight, wanted, rtol=0, atol=1e-6)
    far = max(
        float((w - e).abs().max())
        for w, e in zip(by_definition_without_rho(plain, network, rows), expected, strict=True)
    )
    assert far > 1e-4  # plain descent would not pass


def by_definition_without_rho(plain: list[Any], network: Any, rows: list[_toy.Row]) -> list[Any]:
    there = copy.deepcopy(network)
    with torch.no_grad():
        for weight, before in zip(there.parameters(), plain, strict=True):
            weight.copy_(before)
    return [w - RATE * g for w, g in zip(plain, gradient(there, rows, 1.0), strict=True)]


def test_weights_are_where_they_were_after_both_passes_even_if_the_second_fails(tmp_path: Path) -> None:
    network, rows = _toy.model(), _toy.rows(0, 3)
    trainer = _toy.trainer(network, rows, tmp_path, max_steps=1)
    trainer.current_gradient_accumulation_steps = 1
    before, own, calls = [w.detach().clone() for w in network.parameters()], trainer.training_step, list[int]()

    def failing(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return own(*given, **more)

    trainer.training_step = failing  # type: ignore[method-assign]
    SAM().post_trainer_create(SimpleNamespace(sam_rho=RHO), trainer)
    with pytest.raises(RuntimeError, match="out of memory"):
        trainer.training_step(network, _toy.batch(rows))
    assert all(torch.equal(weight, old) for weight, old in zip(network.parameters(), before, strict=True))


def test_a_gradient_of_zero_moves_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.zeros(2)
    climb([weight], RHO)
    assert torch.equal(weight.detach(), torch.ones(2))
