"""Numbers with which Axolotl trains nothing, or away from the answers, and says nothing of it: its schema knows few bounds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recipes.runner.recipe import Recipe, where


@dataclass(frozen=True, slots=True)
class Bound:
    """What a number has to be, in words and as a test of it."""

    words: str
    holds: Callable[[float], bool]


ONE = Bound("1 or more", lambda value: value >= 1)
ABOVE = Bound("more than 0", lambda value: value > 0)
NOT_BELOW = Bound("0 or more", lambda value: value >= 0)
SHARE = Bound("0 or more and less than 1", lambda value: 0 <= value < 1)
RATE = Bound("more than 0 and at most 1", lambda value: 0 < value <= 1)

NOTHING = "it would train nothing"
BATCH = "it is rows, or batches, of a step"
KEYS = {
    "num_epochs": (ABOVE, NOTHING),
    "max_steps": (ONE, "Axolotl would pass over it; left out, num_epochs decides"),
    "micro_batch_size": (ONE, BATCH),
    "gradient_accumulation_steps": (ONE, BATCH),
    "eval_batch_size": (ONE, BATCH),
    "sequence_len": (ONE, "all rows would be longer"),
    "learning_rate": (RATE, "at 0 nothing is learnt, below 0 the answers are unlearnt, above 1 all is spoilt"),
    "lora_r": (ONE, "an adapter of rank 0 learns nothing"),
    "lora_alpha": (ABOVE, "what the adapter adds is multiplied by it"),
    "lora_dropout": (SHARE, "it is the share of the adapter's input that is left out"),
    "warmup_ratio": (SHARE, "it is a share of all steps"),
    "warmup_steps": (NOT_BELOW, "it is a number of steps"),
    "weight_decay": (NOT_BELOW, "below 0 the weights would grow with every step"),
    "max_grad_norm": (NOT_BELOW, "below 0 every gradient would be turned round"),
    "adam_beta1": (SHARE, "it is the share of the mean that a step keeps"),
    "adam_beta2": (SHARE, "it is the share of the mean that a step keeps"),
    "save_steps": (ABOVE, "there would be no checkpoint to go on from"),
    "save_total_limit": (ONE, "Axolotl would keep four"),
    "seed": (NOT_BELOW, "numpy takes no other"),
}


def faults(recipe: Recipe) -> Iterator[str]:
    """Yield a sentence for every number that is out of its bounds; what is no number is for Axolotl's own schema."""
    for key, (bound, why) in KEYS.items():
        value = _number(found := recipe.keys.get(key))
        if value is not None and not bound.holds(value):
            yield f"{where(recipe, (key,))}: found {key} {found}, expected {bound.words}: {why}"


def _number(found: object) -> float | None:
    """Return the number that Axolotl will read: YAML leaves ``2e-3`` a text."""
    try:
        return float(found) if isinstance(found, int | float | str) else None
    except ValueError:
        return None
