"""A frozen 4-bit layer with its LoRA adapter for fp32 on a CPU: the weight dequantised once, and one function for both products.

bitsandbytes dequantises a weight for every forward and every backward pass. In an evaluation on a CPU with AVX-512 it packs the
weights anew for its bf16 kernel, and training after that is wrong; these layers never get there.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer
from torch.autograd import Function
from torch.nn.functional import linear


def four_bit(model: Any) -> Iterator[Any]:
    """Yield the model's 4-bit layers whose weights were fp32 before; others stay as they are."""
    for module in model.modules():
        if isinstance(module, Linear4bit) and module.weight.quant_state.dtype == torch.float32:
            yield module


def dense(layer: Any) -> torch.Tensor:
    """Return a layer's weight in fp32, (outputs, inputs), to the bit as bitsandbytes multiplies with it."""
    return dequantize_4bit(layer.weight.data.view(-1, 1), layer.weight.quant_state)


def replace(model: Any, cache: bool) -> None:
    """Let every 4-bit layer, and every LoRA layer around one, compute with its dense weight, held from now on if ``cache``."""
    weights: dict[Any, Callable[[], torch.Tensor]] = {}
    for layer in four_bit(model):
        weights[layer] = partial(_same, dense(layer)) if cache else partial(dense, layer)
        layer.forward = partial(_base, layer, weights[layer])
    for layer in model.modules():
        if isinstance(layer, LoraLayer) and layer.base_layer in weights:
            layer.forward = partial(_adapted, layer, weights[layer.base_layer], layer.forward)


def _same(weight: torch.Tensor) -> torch.Tensor:
    return weight


def _base(layer: Any, weight: Callable[[], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return linear(x, weight(), layer.bias)


def _adapted(
    layer: Any, weight: Callable[[], torch.Tensor], usual: Callable[..., torch.Tensor], x: torch.Tensor, **more: Any
) -> torch.Tensor:
    """Return base and adapter of x; PEFT's own way where there is more to it than one plain adapter."""
    names = layer.active_adapters
    if more or len(names) != 1 or not _plain(layer, names[0]) or x.dtype != torch.float32:
        return usual(x, **more)
    a, b = layer.lora_A[names[0]].weight, layer.lora_B[names[0]].weight
    found: torch.Tensor = Adapted.apply(x, weight(), a, b, layer.scaling[names[0]])
    return found if layer.base_layer.bias is None else found + layer.base_layer.bias


def _plain(layer: Any, name: str) -> bool:
    if (
        name not in layer.lora_A
        or layer.disable_adapters
        or layer.merged
        or layer.lora_variant
        or layer.lora_bias.get(name)
    ):
        return False
    dropout = layer.lora_dropout[name]
    return not (isinstance(dropout, torch.nn.Dropout) and layer.training and dropout.p)


class Adapted(Function):  # type: ignore[misc]
    """``x W' + s x A' B'``: W (outputs, inputs) is frozen; A (rank, inputs), B (outputs, rank) and x (..., inputs) are not.

    One node of the graph in place of six, and no tensor of the outputs' size but the result.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, a: Any, b: Any, scale: float) -> Any:
        """Return the sum, shape (..., outputs)."""
        rows = x.reshape(-1, x.shape[-1])
        low = rows @ a.t()
        ctx.save_for_backward(rows, weight, a, b, low)
        ctx.scale, ctx.shape = scale, x.shape
        return (rows @ weight.t()).addmm_(low, b.t(), alpha=scale).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *given: Any) -> Any:
        """Return the gradients of x, A and B."""
        rows, weight, a, b, low = ctx.saved_tensors
        gradient = given[0].reshape(-1, given[0].shape[-1])
        back = (gradient @ b).mul_(ctx.scale)
        to_x = (gradient @ weight).addmm_(back, a).view(ctx.shape) if ctx.needs_input_grad[0] else None
        return to_x, None, back.t() @ rows, (gradient.t() @ low).mul_(ctx.scale), None
