"""Packed rows do not see each other: the logits of each row in a pack, as Axolotl itself packs it, are those of the row alone.

On a CPU, in fp32. The kernels that take the lengths of the rows (flash, SDPA's own) run on a GPU alone; of what they are given,
no mask and positions that begin at 0 with every row, the tests see that it is so.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from recipes.runner import recipe
from recipes.runner.preflight import lint, machine, prompt_parity
from tests.recipes._families import RECIPES, stand_in
from tests.recipes.conftest import small_mix

TOLERANCE = 1e-4  # of logits of about 1
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

    loaded = recipe.load(recipe.find(RECIPES[family]), [f"base_model=base/{family}", *FEW])
    adapted = machine.on_cpu(loaded)
    for override in overrides:
        adapted.keys.update([recipe.parse_override(override)])
    config = lint.validated(adapted)
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
@pytest.mark.parametrize("family", sorted(RECIPES))
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


def test_flash_attention_knows_where_rows_begin_in_a_batch_of_one_sequence_alone() -> None:
    """Which is why real batches are refused with it; SDPA's mask, eager's and flex attention's are made for any batch."""
    import torch
    from transformers.masking_utils import find_packed_sequence_indices
    from transformers.modeling_flash_attention_utils import _is_packed_sequence

    places = torch.tensor([[0, 1, 2, 0, 1, 0], [0, 1, 0, 1, 2, 3]])
    assert _is_packed_sequence(places[:1], 1) and not _is_packed_sequence(places, 2)
    rows = find_packed_sequence_indices(places)
    assert rows is not None and rows.tolist() == [[0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1]]
