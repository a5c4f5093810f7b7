"""A language model of a few thousand weights, its rows, and a real trainer around it, for tests of what changes a step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import MistralConfig, MistralForCausalLM, Trainer, TrainingArguments

KEYS, NUMBERS = 2, 8  # tokens: the task's key first, then the numbers
Row = dict[str, list[int]]


def model(seed: int = 0, layers: int = 1) -> Any:
    torch.manual_seed(seed)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": layers, "num_attention_heads": 2}
    more = {"num_key_value_heads": 2, "vocab_size": KEYS + NUMBERS, "initializer_range": 0.3, "pad_token_id": None}
    return MistralForCausalLM(MistralConfig(**shape, **more, bos_token_id=None, eos_token_id=None))


def rows(key: int, shift: int) -> list[Row]:
    """Return task ``key``: to each number, which is masked, the answer is the number ``shift`` further on, and its key again."""
    ids = [[key, KEYS + n, KEYS + (n + shift) % NUMBERS, key] for n in range(NUMBERS)]
    return [{"input_ids": one, "labels": [-100, -100, *one[2:]]} for one in ids]


def batch(some: Sequence[Row]) -> dict[str, Any]:
    return {key: torch.tensor([row[key] for row in some]) for key in ("input_ids", "labels")}


def trainer(network: Any, some: Sequence[Row], folder: Path, **keys: Any) -> Trainer:
    """Return a trainer by plain gradient descent, rows in their order."""
    settings = {"max_grad_norm": 0.0, "lr_scheduler_type": "constant", "report_to": "none", "use_cpu": True, "seed": 0}
    told = {"output_dir": str(folder / "adapter"), "save_strategy": "no", "disable_tqdm": True, "learning_rate": 0.1}
    arguments = TrainingArguments(**told | settings | keys)
    descent = torch.optim.SGD(network.parameters(), arguments.learning_rate)
    made = Trainer(network, arguments, batch, train_dataset=list(some), optimizers=(descent, None))  # type: ignore[arg-type]
    made._get_train_sampler = lambda *_: torch.utils.data.SequentialSampler(made.train_dataset)  # type: ignore[method-assign,assignment,arg-type,return-value]
    return made


def loss(network: Any, some: Sequence[Row]) -> float:
    with torch.no_grad():
        return float(network(**batch(some)).loss)
