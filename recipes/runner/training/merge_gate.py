"""The merge gate: the merged checkpoint must answer as the adapter does on the base that it was trained on.

Both read the same held-out rows. At every token of the answers their logits are compared: whether both would write the same token
next, up to rounding (greedy agreement), the cosine of their logits, and the loss of the answer in nats a token. The adapter's
base is loaded as in training, quantised if it was: a merge goes through the quantised base, and the base at full precision is
another model. The same base without its adapter is the control: an adapter that changes nothing learnt nothing, and merged
weights that are nearer to the base than to the adapter have lost it, however alike all three are.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converters.core.errors import InputError
from converters.examples import read_rows
from converters.io.jsonl import sha256
from converters.schema import Row
from eval.inference.backends.base import auto_class

# At a vocabulary of 128k and some 1,000 answer tokens, half a GB of logits.
ROWS, ROWS_PER_TASK, TOKENS_PER_ROW = 64, 16, 32
# A faithful merge differs by rounding alone. Measured on the demo: see tests/recipes/training/test_merge_gate.py.
ROUNDING = 4  # steps of the number format by which the logits of one token differ between two sums of the same products
BAR = {"agreement": 0.97, "cosine": 0.995, "loss": 0.05}


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike adapter and merged checkpoint are: means over ``tokens`` answer tokens of ``rows`` rows; losses in nats a token.

    ``learnt``, ``left`` and ``kept`` are Euclidean distances of logits: of the adapter's from its base's, of the merged ones from
    the adapter's, and of the merged ones from the base's.
    """

    rows: int
    tokens: int
    agreement: float
    cosine: float
    loss_adapter: float
    loss_merged: float
    learnt: float
    left: float
    kept: float

    def faults(self) -> Iterator[str]:
        """Yield a sentence for everything that is below the bar."""
        if self.agreement < BAR["agreement"]:
            yield f"greedy agreement {self.agreement:.4f}, expected at least {BAR['agreement']}"
        if self.cosine < BAR["cosine"]:
            yield f"cosine of the logits {self.cosine:.4f}, expected at least {BAR['cosine']}"
        if self.learnt == 0:
            yield "the adapter changed nothing: its logits are those of the base"
        elif not self.left < self.kept:  # it holds however little was learnt: rounding draws to neither of them
            distances = f"{self.left:.4g} from the adapter's and {self.kept:.4g} from the base's"
            yield f"the merged logits are {distances}: what was learnt is not in the merged weights"
        gap = abs(self.loss_merged - self.loss_adapter)
        if not gap <= BAR["loss"]:
            yield f"loss {self.loss_adapter:.4f} before and {self.loss_merged:.4f} after, expected at most {BAR['loss']} apart"


def judge(base: str, keys: Mapping[str, Any], adapter: Path, merged: Path, data: Path) -> dict[str, Any]:
    """Return the gate's entry in the run's record: held-out file, bar, likeness and whether it ``passed``."""
    likeness = compare(base, keys, adapter, merged, sample(read_rows(data)))
    faults = list(likeness.faults())
    return {
        "held": str(data),
        "held_sha256": sha256(data),
        "bar": BAR,
        "likeness": asdict(likeness),
        "passed": not faults,
        "faults": faults,
    }


def validation_file(record: Mapping[str, Any]) -> Path:
    """Return the validation split beside the rows that a run trained on; a missing one is an ``InputError``."""
    folders = dict.fromkeys(Path(item["name"]).parent for item in record["data"])
    for folder in folders:
        if (path := folder / "validation.jsonl").is_file():
            return path
    raise InputError(
        f"{', '.join(map(str, folders)) or 'the data'}: no validation.jsonl for the merge gate; build the mixture again (make "
        "data MIX=...), or name other held-out rows (ecom-train merge --gate-data FILE)"
    )


def sample(rows: Sequence[Row]) -> list[Row]:
    """Return some rows of every task, the same ones whatever their order in the file."""
    by_task = defaultdict[str, list[Row]](list)
    for row in sorted(rows, key=_draw):
        by_task[row.task].append(row)
    return sorted((row for group in by_task.values() for row in group[:ROWS_PER_TASK]), key=_draw)[:ROWS]


def _draw(row: Row) -> bytes:
    return hashlib.sha256(row.id.encode()).digest()


def compare(base: str, keys: Mapping[str, Any], adapter: Path, merged: Path, rows: Sequence[Row]) -> Likeness:
    """Compare the adapter on its base with that base and with the merged checkpoint, two models never in memory at once."""
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(merged)
    encoded = [_encode(tokenizer, row) for row in rows]
    network = _trained(base, keys, adapter)
    before = _logits(network, encoded)
    with network.disable_adapter():
        control = _logits(network, encoded)
    del network
    after = _logits(_plain(str(merged)), encoded)
    answers = torch.tensor([token for _, answer in encoded for token in answer])
    functional = torch.nn.functional
    return Likeness(
        rows=len(rows),
        tokens=len(answers),
        agreement=_agreement(before, after, torch.finfo(_dtype()).eps),
        cosine=float(functional.cosine_similarity(before, after, dim=-1).double().mean()),
        loss_adapter=float(functional.cross_entropy(before, answers)),
        loss_merged=float(functional.cross_entropy(after, answers)),
        learnt=_distance(before, control),
        left=_distance(before, after),
        kept=_distance(after, control),
    )


def _distance(first: Any, second: Any) -> float:
    return float((first - second).norm(dim=-1).double().mean())


def _agreement(first: Any, second: Any, step: float) -> float:
    """Return the share of tokens at which the second's choice is the first's, or as good to it within ``ROUNDING`` steps."""
    best = first.max(-1).values
    chosen = first.gather(-1, second.argmax(-1, keepdim=True))[:, 0]
    near = ROUNDING * step * first.abs().max(-1).values
    return float((best - chosen <= near).double().mean())


def _encode(tokenizer: Any, row: Row) -> tuple[list[int], list[int]]:
    """Return the ids of a row's prompt, as evaluation sends it, and the first ones of what follows it."""
    turns = [*row.prompt, {"role": "assistant", "content": row.target}]
    prompt = tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True, tokenize=True, return_dict=False)
    whole = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
    return list(prompt), list(whole[len(prompt) :][:TOKENS_PER_ROW])


def _logits(network: Any, encoded: Sequence[tuple[list[int], list[int]]]) -> Any:
    """Return the logits before every answer token, fp32 on the CPU: (tokens, vocabulary)."""
    import torch

    logits = []
    with torch.inference_mode():
        for prompt, answer in encoded:
            ids = torch.tensor([prompt + answer], device="cuda" if torch.cuda.is_available() else "cpu")
            logits.append(network(input_ids=ids).logits[0, len(prompt) - 1 : -1].float().cpu())
    return torch.cat(logits)


def _trained(base: str, keys: Mapping[str, Any], adapter: Path) -> Any:
    from peft import PeftModel

    network = PeftModel.from_pretrained(_plain(base, quantisation(keys)), str(adapter)).eval()
    for module in network.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):  # inference would use bf16, which training did not
            module.support_avx512bf16_for_cpu = False
    return network


def _plain(name: str, quantised: Any = None) -> Any:
    import torch
    from transformers import AutoConfig

    # A GPU that trained the quantised base may be too small for the merged weights: "auto" leaves the rest in main memory.
    place = None if not torch.cuda.is_available() else "auto" if quantised is None else {"": 0}
    settings = {"dtype": _dtype(), "quantization_config": quantised, "device_map": place}
    return auto_class(AutoConfig.from_pretrained(name)).from_pretrained(name, **settings).eval()


def _dtype() -> Any:
    """Return the number format of both models: the one that training used on this device."""
    import torch

    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def nf4(keys: Mapping[str, Any]) -> bool:
    """Tell whether a recipe trains on a base in four bits."""
    return bool(keys.get("load_in_4bit")) or keys.get("adapter") == "qlora"


def quantisation(keys: Mapping[str, Any]) -> Any:
    """Return how the recipe quantises the base, by Axolotl's defaults, or ``None``."""
    from transformers import BitsAndBytesConfig

    if keys.get("load_in_8bit"):
        return BitsAndBytesConfig(load_in_8bit=True)
    if not nf4(keys):
        return None
    defaults = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": _dtype()}
    return BitsAndBytesConfig(load_in_4bit=True, **defaults | (keys.get("bnb_config_kwargs") or {}))
