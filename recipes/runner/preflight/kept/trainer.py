"""Importing what a check needs of the trainer, and no more."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from converters.core.hidden import hidden
from recipes.runner.preflight.kept import shortcuts
from recipes.runner.preflight.kept.imports import sparing, unopened

# requests and httpx import these for the encoding of web pages and for a command line.
UNUSED = ("chardet", "pygments")
# transformers' models import these only to ask later what they can do, for quantised weights and losses of images; on a CPU
# bitsandbytes fetches a kernel as well.
OF_MODELS = ("bitsandbytes", "scipy", "sklearn", "torchao")
STRATEGIES = ("axolotl.integrations.base", "axolotl.prompt_tokenizers", "axolotl.prompt_strategies.chat_template")
# Modules that import models for names of their annotations, and the packages that only their functions use.
SPARED = dict.fromkeys((*STRATEGIES, "axolotl.loaders.utils"), ()) | {
    "axolotl.loaders.patch_manager": ("axolotl.monkeypatch", "transformers.modeling_flash_attention_utils"),
    "transformers.models.auto.auto_factory": ("transformers.generation",),
    "transformers.trainer_utils": ("peft",),
}
LOADERS = ("axolotl.loaders.tokenizer", "axolotl.utils.config", "axolotl.loaders.patch_manager")
IN_TABLE = "VoxtralForConditionalGeneration"  # a class in Axolotl's table of models with towers, whose keys alone a check reads


def import_strategies() -> None:
    """Import Axolotl's prompt strategies for chats, which need neither models nor data sets."""
    lightly(STRATEGIES[-1])


def import_trainer() -> None:
    """Import transformers' trainer, which most of Axolotl needs."""
    lightly("transformers.trainer_utils")


def import_loaders() -> None:
    """Import what loads Axolotl's configuration of a base and its tokenizer, without models."""
    with unopened("transformers", IN_TABLE):
        for module in LOADERS:
            lightly(module)


def import_models() -> None:
    """Import what all models of transformers share."""
    lightly("transformers.modeling_utils", OF_MODELS)


def lightly(module: str, unused: Sequence[str] = ()) -> None:
    """Import a module in half the time: packages that no check uses are hidden meanwhile, and no garbage is looked for.

    One that cannot do without them is imported with them, as where another package that it finds needs one. Whatever decides
    a check (plugins, a base's own code, Axolotl's validation) still finds them. What thousands of modules define stays, so that
    looking for garbage among it finds none.
    """
    if module not in sys.modules:
        with sparing(SPARED), shortcuts.taken(), _uncollected():
            try:
                with hidden(*UNUSED, *unused):
                    import_module(module)
            except ImportError:
                import_module(module)


@contextmanager
def _uncollected() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()
