"""Names that Axolotl takes as any text, and that the trainer refuses only once base model and rows have been loaded."""

from collections.abc import Collection, Iterator, Mapping

from converters.registry import nearest
from recipes.runner.recipe import Recipe, where


def faults(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every name that neither Axolotl nor transformers knows."""
    for key, known in _known().items():
        found = recipe.keys.get(key)
        if isinstance(found, str) and found not in known:
            yield f"{where(recipe, (key,))}: found {key} {found!r}{nearest(found, sorted(known))}"


def _known() -> Mapping[str, Collection[str]]:
    from axolotl.utils.schemas.enums import CustomSupportedOptimizers
    from transformers.trainer_utils import IntervalStrategy, SaveStrategy, SchedulerType
    from transformers.training_args import OptimizerNames

    return {
        "lr_scheduler": {*(one.value for one in SchedulerType), "one_cycle", "rex"},
        "optimizer": {one.value for kind in (OptimizerNames, CustomSupportedOptimizers) for one in kind},
        "save_strategy": {one.value for one in SaveStrategy},
        "eval_strategy": {one.value for one in IntervalStrategy},
    }
