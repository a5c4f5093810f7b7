"""A tokenizer as Axolotl loaded and changed it, with the configuration that it was loaded by, in bytes.

Both are read again as they were. The bytes can name tokenizers, settings and types of numbers, and nothing else, whoever wrote
them: a class of PyTorch's may start a program when it is called.
"""

import io
import pickle
from contextlib import suppress
from enum import Enum
from typing import Any

from recipes.runner.preflight.kept.trainer import import_strategies

CLASSES = ("axolotl.utils.", "tokenizers.", "transformers.")  # begin the modules whose classes may be named


def written(config: Any, tokenizer: Any) -> bytes:
    """Return both as bytes; none for a tokenizer that is more than plain data."""
    try:
        return pickle.dumps((config, tokenizer))
    except (pickle.PicklingError, AttributeError, TypeError):
        return b""


def read(content: bytes | None) -> tuple[Any, Any] | None:
    """Return configuration and tokenizer, with Axolotl's prompt strategies imported; ``None`` for bytes of anything else."""
    if not content:
        return None
    import_strategies()
    from axolotl.utils.dict import DictDefault
    from transformers import PreTrainedTokenizerBase

    with suppress(Exception):  # of any kind: tokenizers raises bare ones
        config, tokenizer = _Reader(io.BytesIO(content)).load()
        if isinstance(config, DictDefault) and isinstance(tokenizer, PreTrainedTokenizerBase):
            return config, tokenizer
    return None


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        import torch
        from axolotl.utils.dict import DictDefault
        from transformers import PreTrainedTokenizerBase

        known = module == "torch" or f"{module}.".startswith(CLASSES)
        found = super().find_class(module, name) if known else None
        if isinstance(found, torch.dtype):
            return found
        if isinstance(found, type) and (found.__module__, found.__qualname__) == (module, name):
            plain = issubclass(found, (DictDefault, Enum, PreTrainedTokenizerBase))
            if plain or module.partition(".")[0] == "tokenizers":
                return found
        raise pickle.UnpicklingError(f"found {module}.{name}, expected a tokenizer, a setting or a type of numbers")
