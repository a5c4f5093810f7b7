"""Packed rows do not see each other: the logits of each row in a pack, as Axolotl itself packs it, are those of the row alone.

On a CPU, in fp32. The kernels that take the lengths of the rows (flash, SDPA's own) run on a GPU alone; of what they are given,
no mask and positions that begin at 0 with every row, the tests see that it is so.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from recipes.plugins.run import RunPlugin
from recipes.runner import recipe
from recipes.runner.preflight import lint, machine, prompt_parity
from recipes.runner.training import merge, merge_gate
from tests.recipes._families import ON_CPU, RECIPES, stand_in
from tests.recipes.conftest import small_mix

TOLERANCE = 1e-4  # of logits of about 1
PLAIN = pytest.mark.skipif(
    not merge.rounds_all(), reason="Axolotl 0.21 hands packed rows to Triton's kernels, which a CPU has not"
)
FEW = (
    "sequence_len=512", "micro_batch_size=2", "gradient_accumulation_steps=1", "max_steps=1", "dataset_num_proc=1",
    "adapter=lora", "load_in_4bit=null", "bnb_config_kwargs=null", "output_dir=out", "dataset_prepared_path=prepared",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a mix where the recipes expect theirs, and a stand-in of each family under ``base``."""
    folder = tmp_path_factory.mktemp("packing")
    small_mix(folder)
    (folder / "data" / "mix").rename(folder / "data" / "ecom")
    for family in RECIPES:
        stand_in(folder / "base" / family, family)
    return folder


def packed(family: str, *overrides: str) -> tuple[Any, dict[str, Any]]:
    """Return a family's model and the first batch of its training rows, both as Axolotl makes them of its recipe."""
    from axolotl.common.datasets import load_datasets
    from axolotl.train import setup_model_and_trainer
    from axolotl.utils.config import normalize_config

    loaded = recipe.load(recipe.find(RECIPES[family]), [f"base_model=base/{family}", *FEW])
    adapted = machine.on_cpu(loaded)
    for override in overrides:
        adapted.keys.update([recipe.parse_override(override)])
    config = lint.validated(adapted)
    normalize_config(config)
    RunPlugin().load_datasets(config)
    RunPlugin().pre_model_load(config)
    prompt_parity.load_tokenizer(config)
    trainer, model, *_ = setup_model_and_trainer(config, load_datasets(cfg=config))
    return model, next(iter(trainer.get_train_dataloader()))


def differences(model: Any, batch: dict[str, Any]) -> list[float]:
    """Return for each row of a batch how far its logits are from those of the row alone, at most."""
    import torch

    model.eval()
    with torch.no_grad():
        together = model(**{key: value for key, value in batch.items() if key != "labels"}, use_cache=False).logits
        found = []
        for ids, places, logits in zip(batch["input_ids"], batch["position_ids"], together, strict=True):
            starts = [*(places == 0).nonzero().flatten().tolist(), len(ids)]
            for start, end in pairwise(starts):
                alone = model(input_ids=ids[None, start:end], use_cache=False).logits[0]
                found.append(float((logits[start:end] - alone).abs().max()))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", sorted({*RECIPES} - {*ON_CPU}))
def test_a_packed_row_has_the_logits_of_the_row_alone(
    family: str, attention: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    model, batch = packed(family, f"attn_implementation={attention}")
    assert "attention_mask" not in batch
    found = differences(model, batch)
    assert len(found) >= 6 and max(found) < TOLERANCE, found


@pytest.mark.slow
def test_without_the_key_packed_rows_see_each_other(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is why the check refuses it: all but the first row of each sequence have other logits than alone."""
    monkeypatch.chdir(place)
    model, batch = packed("mistral", "attn_implementation=null")
    assert "attention_mask" in batch
    found = differences(model, batch)
    assert sum(value > 100 * TOLERANCE for value in found) >= len(found) - 2, found


@PLAIN
@pytest.mark.slow
def test_linear_attention_carries_a_state_from_row_to_row(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is why the check refuses it on a CPU: PyTorch's own operations are not told where rows begin."""
    monkeypatch.chdir(place)
    found = differences(*packed("qwen35", "attn_implementation=sdpa"))
    assert sum(value > 100 * TOLERANCE for value in found) > len(found) / 2, (
        found
    )  # all but the first ones and the padding


@PLAIN
@pytest.mark.slow
def test_linear_attention_is_told_where_rows_begin(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Axolotl, on a GPU, as flash-linear-attention takes it; here PyTorch's operations compute each row by itself."""
    import torch
    from axolotl.monkeypatch.models.qwen3_5 import modeling as patch
    from transformers.models.qwen3_5 import modeling_qwen3_5 as qwen

    def convolution(x: Any, cu_seqlens: Any, **options: Any) -> tuple[Any, None]:
        assert len(x) == 1  # all that flash-linear-attention takes
        rows = [x[:, start:end].transpose(1, 2) for start, end in pairwise(cu_seqlens.tolist())]
        return torch.cat([qwen.causal_conv1d_fn(row, **options).transpose(1, 2) for row in rows], 1), None

    def delta_rule(*qkv: Any, g: Any, beta: Any, cu_seqlens: Any, **options: Any) -> tuple[Any, None]:
        outputs = []
        for start, end in pairwise(cu_seqlens.tolist()):
            q, k, v, decay, strength = (part[:, start:end] for part in (*qkv, g, beta))
            outputs.append(qwen.torch_chunk_gated_delta_rule(q, k, v, g=decay, beta=strength, **options)[0])
        return torch.cat(outputs, 1), None

    monkeypatch.chdir(place)
    for kind in (qwen.Qwen3_5DecoderLayer, qwen.Qwen3_5GatedDeltaNet):
        monkeypatch.setattr(kind, "forward", kind.forward)  # put back at the end
    model, batch = packed("qwen35", "attn_implementation=sdpa", "micro_batch_size=1")
    with torch.no_grad():
        plain = model(input_ids=batch["input_ids"][:, :20], use_cache=False).logits
    monkeypatch.setattr(patch, "fla_causal_conv1d", convolution)
    monkeypatch.setattr(patch, "fla_chunk_gated_delta_rule", delta_rule)
    patch.patch_qwen3_5_modeling_packing()
    found = differences(model, batch)
    assert len(found) >= 3 and max(found) < TOLERANCE, found
    with torch.no_grad():
        assert (
            float((model(input_ids=batch["input_ids"][:, :20], use_cache=False).logits - plain).abs().max()) < TOLERANCE
        )


@pytest.mark.parametrize("family", ["qwen35", "gemma4"])
def test_a_row_of_a_padded_batch_has_the_logits_of_the_row_alone(family: str, place: Path) -> None:
    """Evaluation pads at the left: neither a convolution nor a state may begin in the padding."""
    import torch

    model = merge_gate._plain(str(place / "base" / family))
    ids = torch.randint(40, 200, (1, 30), generator=torch.Generator().manual_seed(0))
    padded = torch.cat([torch.full((1, 9), model.config.get_text_config().pad_token_id), ids], 1)
    mask = torch.cat([torch.zeros(1, 9, dtype=torch.long), torch.ones_like(ids)], 1)
    with torch.no_grad():
        alone = model(input_ids=ids, use_cache=False).logits
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        beside = model(input_ids=padded, attention_mask=mask, position_ids=places, use_cache=False).logits[:, 9:]
    assert float((alone - beside).abs().max()) < TOLERANCE


def test_flash_attention_knows_where_rows_begin_in_a_batch_of_one_sequence_alone() -> None:
    """Which is why real batches are refused with it; SDPA's mask, eager's and flex attention's are made for any batch."""
    import torch
    from transformers.masking_utils import find_packed_sequence_indices
    from transformers.modeling_flash_attention_utils import _is_packed_sequence

    places = torch.tensor([[0, 1, 2, 0, 1, 0], [0, 1, 0, 1, 2, 3]])
    assert _is_packed_sequence(places[:1], 1) and not _is_packed_sequence(places, 2)
    rows = find_packed_sequence_indices(places)
    assert rows is not None and rows.tolist() == [[0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1]]
