"""A tokenizer as Axolotl loaded and changed it, with the configuration that it was loaded by, in bytes.

Both are read again as they were. The bytes can name classes of the trainer and nothing else, whoever wrote them.
"""

import io
import pickle
from typing import Any

from recipes.runner.preflight.kept.trainer import import_strategies

CLASSES = ("axolotl.utils.", "tokenizers", "transformers.")  # begin the modules whose classes may be named


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
    try:
        config, tokenizer = _Reader(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, ImportError, AttributeError, TypeError, ValueError):
        return None
    return config, tokenizer


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        import torch

        found = super().find_class(module, name) if module.startswith((*CLASSES, "torch")) else None
        own = isinstance(found, type) and (found.__module__, found.__qualname__) == (module, name) and module != "torch"
        if own or isinstance(found, torch.dtype):
            return found
        raise pickle.UnpicklingError(f"found {module}.{name}, expected a class of the trainer")
