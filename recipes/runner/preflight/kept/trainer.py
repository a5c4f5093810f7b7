"""Importing what a check needs of the trainer, and no more."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from converters.core.hidden import hidden
from recipes.runner.preflight.kept.annotations import unannotated

# PEFT, transformers and requests import these only to ask later what they can do, for quantised weights, losses of images and
# the encoding of web pages; on a CPU bitsandbytes fetches a kernel as well.
UNUSED = ("bitsandbytes", "chardet", "scipy", "sklearn", "torchao")
STRATEGIES = ("axolotl.integrations.base", "axolotl.prompt_tokenizers", "axolotl.prompt_strategies.chat_template")


def import_strategies() -> None:
    """Import Axolotl's prompt strategies for chats, which need neither models nor data sets."""
    lightly(STRATEGIES[-1])


def import_trainer() -> None:
    """Import transformers' trainer, which most of Axolotl needs."""
    lightly("transformers.trainer_utils")


def lightly(module: str) -> None:
    """Import a module in half the time: packages that no check uses are hidden meanwhile, and no garbage is looked for.

    A module that cannot do without them is imported with them, as where another package that it finds needs one. Whatever decides
    a check (plugins, a base's own code, Axolotl's validation) still finds them. What thousands of modules define stays, so that
    looking for garbage among it finds none.
    """
    if module not in sys.modules:
        with unannotated(*STRATEGIES), _uncollected():
            try:
                with hidden(*UNUSED):
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
