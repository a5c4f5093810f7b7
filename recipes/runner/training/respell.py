"""Spells an adapter's layers as the base's checkpoint does, for a merge that looks for them by name.

Transformers renames layers on loading: Ministral 3's ``language_model.model.layers`` is ``model.language_model.layers`` then, so
the adapter calls it. Axolotl 0.19 does not get there by the same rules: it finds no layer and writes the base.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from recipes.runner.preflight.base_model import skeleton
from recipes.runner.training.restore import layer_of, renaming, tensors

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def respelt(adapter: Path, base: Path, folder: Path, trust: bool = False) -> Path:
    """Return ``adapter``, or ``folder`` with a copy of it whose layers are named as in the files of ``base``."""
    from safetensors.torch import load_file, save_file

    stored = _stored(base, trust) if (adapter / WEIGHTS).is_file() else {}
    own = load_file(adapter / WEIGHTS) if stored else {}
    names = {name: name.replace(layer, stored.get(layer, layer), 1) for name in own if (layer := layer_of(name))}
    if all(name == other for name, other in names.items()):
        return adapter
    folder.mkdir(parents=True)
    save_file({names[name]: tensor for name, tensor in own.items()}, folder / WEIGHTS, {"format": "pt"})
    shutil.copy2(adapter / CONFIG, folder)
    return folder


def _stored(base: Path, trust: bool) -> Mapping[str, str]:
    """Return the name in the checkpoint's files of every layer, by its name in the loaded model."""
    if (model := skeleton(str(base), trust)) is None:
        return {}
    names = (name for path in base.glob("*.safetensors") for name in tensors(path) if name.endswith(".weight"))
    runtime = renaming(model, converted=False)
    return {runtime(name).removesuffix(".weight"): name.removesuffix(".weight") for name in names}
